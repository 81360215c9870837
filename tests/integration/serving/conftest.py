"""Models made once with TensorFlow, and a server on real ports."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from tensorflow_serving.apis import model_service_pb2_grpc, prediction_service_pb2_grpc

from headrace.serving.server.config.flags import Flags
from headrace.serving.server.config.flags import parse as parse_flags


class Clients:
    """The official stubs on one channel."""

    def __init__(self, target: str, credentials: grpc.ChannelCredentials | None = None) -> None:
        options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
        if credentials is None:
            self.channel = grpc.insecure_channel(target, options)
        else:
            self.channel = grpc.secure_channel(target, credentials, options)
        self.prediction = prediction_service_pb2_grpc.PredictionServiceStub(self.channel)
        self.management = model_service_pb2_grpc.ModelServiceStub(self.channel)


class Running:
    """A server in this process, and how to reach it."""

    def __init__(self, server: Any) -> None:
        self.server = server
        self.models = server.models
        self.grpc_address, *rest = [one.address for one in server.front_ends]
        self.rest_address = rest[0] if rest else ""
        self.clients = Clients(self.grpc_address)


@pytest.fixture(scope="session")
def exports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder per model that tests serve, made in a process of its own.

    TensorFlow's graphs and eager state of the exporter must not help the server.
    """
    folder = tmp_path_factory.mktemp("exports")
    script = Path(__file__).with_name("make_models.py")
    subprocess.run([sys.executable, str(script), str(folder)], check=True, timeout=300)
    return folder


@pytest.fixture
def base_path(exports: Path, tmp_path: Path) -> Callable[..., Path]:
    """Makes a base path whose versions are copies of exports: ``base_path("m", {1: "half"})``."""

    def make(name: str, versions: dict[int | str, str]) -> Path:
        for version, export in versions.items():
            add_version(tmp_path / name, version, exports / export)
        return tmp_path / name

    return make


def add_version(base: Path, version: int | str, export: Path) -> None:
    """Adds a version as a push does: copied elsewhere, then renamed."""
    base.mkdir(parents=True, exist_ok=True)
    staged = base / f".staged-{version}"
    shutil.copytree(export, staged)
    staged.rename(base / str(version))


@pytest.fixture
def serve() -> Iterator[Callable[..., Running]]:
    """Starts a server with flags: ``serve("--model_base_path=…")``; gRPC and REST on free ports."""
    started: list[Any] = []

    def start(*arguments: str, rest: bool = False) -> Running:
        from headrace.serving.server.app import Server

        ports = [f"--port={free_port()}"] if not any("--port" in a for a in arguments) else []
        if rest:
            ports.append(f"--rest_api_port={free_port()}")
        flags: Flags = parse_flags([*ports, *arguments])
        server = Server(flags)
        started.append(server)
        server.start()
        return Running(server)

    yield start
    for server in started:
        server.stop(0)


@pytest.fixture(scope="module")
def shared(exports: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A server with every export as a model of the same name, version 1; gRPC and REST."""
    from headrace.serving.server.app import Server

    folder = tmp_path_factory.mktemp("shared")
    entries = []
    for export in sorted(exports.iterdir()):
        if not export.name.startswith("broken"):
            add_version(folder / export.name, 1, export)
            entries.append(model_entry(export.name, folder / export.name))
    config = folder / "models.config"
    config.write_text(model_config(*entries))
    server = Server(
        parse_flags(
            [
                f"--port={free_port()}",
                f"--rest_api_port={free_port()}",
                f"--model_config_file={config}",
                "--file_system_poll_wait_seconds=0",
                "--enable_grpc_healthcheck_service",
            ]
        )
    )
    server.start()
    yield Running(server)
    server.stop(0)


def model_entry(name: str, base: Path | str, more: str = "") -> str:
    """One entry of a model config file."""
    return f'config {{ name: "{name}" base_path: "{base}" model_platform: "tensorflow" {more} }}'


def model_config(*entries: str) -> str:
    """A model config file."""
    return f"model_config_list {{ {' '.join(entries)} }}"


def free_port() -> int:
    """A TCP port that nobody uses now."""
    import socket

    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        port: int = probe.getsockname()[1]
        return port
