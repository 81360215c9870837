"""Requests per second of the feature server and of ``feast serve``, on the same data."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.feature_store_setup import NOW, SERVICE, Repository, entity_rows, repository
from benchmarks.flagship import Bench, BenchmarkError
from benchmarks.measurement import Measurement, Target
from headrace.feature_store.local_redis import free_port

CONCURRENCY = 8
SECONDS = 3.0
ROUNDS = 3
_START_SECONDS = 60


def feature_server(bench: Bench) -> Measurement:
    """One row per request, eight connections, both servers running, taking turns."""
    from headrace.feature_store.online import materialize

    with repository(bench.work / "server") as made:
        materialize(made.store, None, NOW.replace(year=2012), NOW)
        entities = {name: [value] for name, value in entity_rows(1)[0].items()}
        by_name = {"feature_service": SERVICE, "entities": entities}
        by_list = {"features": made.references, "entities": entities}
        with _server(_ours(made)) as ours, _server(_feast(made)) as feast:
            _check(ours, feast, by_list)
            rounds = [
                [_load(port, body) for port in (ours, feast) for body in (by_name, by_list)]
                for _ in range(ROUNDS)
            ]
    our_named, our_listed, their_named, their_listed = map(list, zip(*rounds, strict=True))
    listed = median(our_listed), median(their_listed)
    return Measurement(
        name=f"feature server, 1 row x 20 features, {CONCURRENCY} connections",
        unit="requests/s",
        target=Target(8, better="higher"),
        ours=our_named,
        reference=their_named,
        reference_name="feast serve, asked for the same feature service",
        note=f"asked with a list of features: {listed[0]:,.0f} against {listed[1]:,.0f}, "
        f"{listed[0] / listed[1]:.1f} x",
        details={"list_of_features": {"ours": our_listed, "feast": their_listed}},
    )


def _ours(made: Repository) -> tuple[list[str], int]:
    port = free_port()
    code = (
        "from feast import FeatureStore; from headrace.feature_store.server.app import serve; "
        f"serve(FeatureStore(repo_path={str(made.path)!r}), port={port}, "
        f"now=lambda: {NOW.timestamp()})"
    )
    return [sys.executable, "-c", code], port


def _feast(made: Repository) -> tuple[list[str], int]:
    port = free_port()
    program = str(Path(sys.executable).with_name("feast"))
    # Without the last option it starts its worker anew every 1,000 requests.
    options = ["serve", "-p", str(port), "--no-access-log", "--max-requests", "0"]
    return [program, "-c", str(made.path), *options], port


@contextlib.contextmanager
def _server(started: tuple[Sequence[str], int]) -> Iterator[int]:
    command, port = started
    process = subprocess.Popen(
        command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
        start_new_session=True,
    )
    try:
        _wait(process, port)
        yield port
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)  # Feast's has a worker process
        process.wait()


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/health"):
                return
        except OSError:
            time.sleep(0.1)
    raise BenchmarkError(f"A feature server did not start: {process.args!r}")


def _check(ours: int, feast: int, body: Any) -> None:
    answers = []
    for port in (ours, feast):
        request = urllib.request.Request(
            f"http://127.0.0.1:{port}/get-online-features",
            json.dumps(body).encode(),
            {"content-type": "application/json"},
        )
        with urllib.request.urlopen(request) as response:
            answer = json.load(response)
        answers.append(
            dict(zip(answer["metadata"]["feature_names"], answer["results"], strict=True))
        )
    if answers[0] != answers[1]:
        raise BenchmarkError("The two feature servers do not answer the same.")


def _load(port: int, body: Any) -> float:
    command = [sys.executable, "-m", "benchmarks.http_load", str(port), str(CONCURRENCY)]
    done = subprocess.run(
        [*command, str(SECONDS), json.dumps(body)], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise BenchmarkError(f"The load on a feature server failed:\n{done.stderr}")
    return float(done.stdout)
