"""Feast's own commands in the flagship's repository, against SQLite and against real Redis."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from tests.integration.feature_store.flagship.conftest import UNTIL, Repo

VIEWS = {
    "aircraft",
    "aircraft_status",
    "carrier_delays",
    "dest_delays",
    "line_delays",
    "origin_carrier_delays",
    "origin_delays",
    "route_delays",
    "weather",
}
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]  # type: ignore[no-any-return]


@contextlib.contextmanager
def serving(repo: Repo, *command: str, url: str) -> Iterator[None]:
    process = repo.start(*command)
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(url, timeout=5).read()
                break
            except (urllib.error.URLError, OSError):
                assert process.poll() is None, (repo.folder / "server.log").read_text()
                assert time.monotonic() < deadline, f"{url} does not answer"
                time.sleep(0.2)
        yield
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=10)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def ask(port: int, **body: Any) -> dict[str, list[Any]]:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/get-online-features",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    answer = json.loads(urllib.request.urlopen(request, timeout=20).read())
    names = answer["metadata"]["feature_names"]
    return {n: r["values"] for n, r in zip(names, answer["results"], strict=True)}


def test_feast_works_in_the_repository_unchanged(repo: Repo) -> None:
    planned = repo.run("feast", "plan")
    assert all(f"feature view {view}" in planned for view in VIEWS)
    repo.run("feast", "apply")
    assert "flight_delay_v1" in repo.run("feast", "feature-services", "list")

    middle = "2013-01-15T00:00:00"
    repo.run("feast", "materialize", "2012-01-01T00:00:00", middle)
    repo.run("feast", "materialize-incremental", UNTIL)

    port = free_port()
    command = ("feast", "serve", "--port", str(port), "--max-requests", "0")
    features = ["origin_delays:origin_delay_12h", "weather:temp", "aircraft:seats"]
    entities = {"origin": ["JFK", "LGA"], "tailnum": ["N338AA", "N14228"]}
    with serving(repo, *command, url=f"http://127.0.0.1:{port}/health"):
        theirs = ask(port, features=features, entities=entities)
    assert theirs["origin"] == ["JFK", "LGA"]
    assert all(isinstance(value, float) for value in theirs["origin_delay_12h"])

    port = free_port()
    command = ("headrace", "features", "serve", "--repo", ".", "--port", str(port))
    moment = f"{UNTIL}+00:00"
    with serving(repo, *command, "--as-of", moment, url=f"http://127.0.0.1:{port}/health"):
        ours = ask(port, features=features, entities=entities)
    assert ours == theirs


@pytest.mark.skipif(CHROMIUM is None, reason="Feast's UI is looked at in Chromium: not installed")
def test_feasts_ui_shows_the_views(repo: Repo) -> None:
    repo.run("feast", "apply")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with serving(repo, "feast", "ui", "--host", "127.0.0.1", "--port", str(port), url=url):
        page = subprocess.run(
            [
                str(CHROMIUM),
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-background-networking",
                f"--user-data-dir={repo.folder}/browser",
                "--virtual-time-budget=20000",
                "--dump-dom",
                f"{url}/p/flights/feature-view",
            ],
            capture_output=True,
            text=True,
            timeout=120,
        ).stdout
    assert all(view in page for view in VIEWS), page[-2000:]
