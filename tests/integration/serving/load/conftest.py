"""A server process under constant load, and what its clients have seen."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import text_format
from tensorflow_serving.apis import get_model_status_pb2, model_management_pb2

from tests.integration.serving.conftest import (
    Clients,
    add_version,
    free_port,
    model_config,
    model_entry,
)
from tests.support.mounts import mounted  # noqa: F401
from tests.support.waiting import eventually

MODEL = "numbered"
CLIENTS = Path(__file__).with_name("clients.py")


class Replica:
    """A server process; every second it looks for versions and for its configuration.

    Requests are logged where the configuration says so.
    """

    def __init__(self, folder: Path, exports: Path, *arguments: str) -> None:
        self.base = folder / MODEL
        self.export = exports / MODEL
        self.config = folder / "models.config"
        self.log, self.requests = folder / "log", folder / "requests"
        self.grpc_port, self.rest_port = free_port(), free_port()
        self.add(1)
        add_version(folder / "slow", 1, exports / "slow")
        self.entries = [model_entry(name, folder / name) for name in (MODEL, "slow")]
        self.config.write_text(model_config(*self.entries))
        command = [sys.executable, "-m", "headrace.serving.server", *arguments]
        command += [f"--port={self.grpc_port}", f"--rest_api_port={self.rest_port}"]
        command += [f"--model_config_file={self.config}", "--enable_batching"]
        command += ["--model_config_file_poll_wait_seconds=1", "--request_log_rotate_seconds=1"]
        command += [f"--request_log_folder={self.requests}"]
        with self.log.open("w") as output:
            environment = {**os.environ, "COLUMNS": "200"}
            self.process = subprocess.Popen(
                command, stdout=output, stderr=subprocess.STDOUT, env=environment
            )

    def reload(self, config: str | None = None) -> None:
        """Takes over a configuration (the same again when none is given), and looks at once."""
        request = model_management_pb2.ReloadConfigRequest()
        text = model_config(*self.entries) if config is None else config
        text_format.Parse(text, request.config)
        self.clients.management.HandleReloadConfigRequest(request)

    @property
    def address(self) -> str:
        """Of both protocols, as the clients take it."""
        return f"127.0.0.1:{self.grpc_port},127.0.0.1:{self.rest_port}"

    def connect(self) -> None:
        """Waits until it answers."""
        self.clients = Clients(f"127.0.0.1:{self.grpc_port}")
        grpc.channel_ready_future(self.clients.channel).result(120)

    def add(self, version: int) -> None:
        """Pushes a version that answers with its own number."""
        staged = self.base.parent / f"staged-{version}"
        shutil.copytree(self.export, staged)
        (staged / "assets" / "number.txt").write_text(f"{version}\n")
        self.base.mkdir(exist_ok=True)
        staged.rename(self.base / str(version))

    def states(self) -> dict[int, str]:
        request = get_model_status_pb2.GetModelStatusRequest()
        request.model_spec.name = MODEL
        answer = self.clients.management.GetModelStatus(request)
        names = get_model_status_pb2.ModelVersionStatus.State
        return {one.version: names.Name(one.state) for one in answer.model_version_status}

    def says(self, text: str) -> bool:
        return text in self.log.read_text()


class Traffic:
    """The clients' process."""

    def __init__(self, *replicas: Replica) -> None:
        command = [sys.executable, str(CLIENTS), *(replica.address for replica in replicas)]
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)

    def report(self) -> dict[str, int]:
        """What has happened since the last report; nothing of it may be wrong."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write("\n")
        self._process.stdin.flush()
        report: dict[str, Any] = json.loads(self._process.stdout.readline())
        assert report["wrong"] == [], report
        counts: dict[str, int] = report["counts"]
        return counts

    def answers_with(self, version: int) -> None:
        """Waits until both protocols, and nothing but this version, have answered."""

        def only_this() -> bool:
            counts = self.report()
            versions = [name for name in counts if name.startswith("version")]
            kinds = {name.split()[0] for name in counts if "by replica" in name}
            return versions == [f"version {version}"] and kinds == {"gRPC", "REST"}

        eventually(only_this)

    def answered_by(self, replica: int) -> set[str]:
        """Waits until a replica, counted from 0, has answered both protocols; what was refused."""
        seen: set[str] = set()

        def both() -> bool:
            seen.update(self.report())
            return {f"{kind} by replica {replica}" for kind in ("gRPC", "REST")} <= seen

        eventually(both)
        return {name for name in seen if "refused" in name}

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()


@pytest.fixture(scope="module")
def replicas(
    exports: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Replica, Replica]]:
    """Two, each with its own folder."""
    folders = [tmp_path_factory.mktemp(f"replica-{place}") for place in (1, 2)]
    first, second = [Replica(folder, exports) for folder in folders]
    try:
        for replica in (first, second):
            replica.connect()
        yield first, second
    finally:
        for replica in (first, second):
            replica.process.kill()
            replica.process.wait()


@pytest.fixture
def server(replicas: tuple[Replica, Replica]) -> Replica:
    return replicas[0]


@pytest.fixture
def traffic(server: Replica) -> Iterator[Traffic]:
    with contextlib.ExitStack() as stack:
        clients = Traffic(server)
        stack.callback(clients.stop)
        clients.answered_by(0)
        yield clients
        clients.report()
