"""A whole project served with one command, and ended with one."""

from __future__ import annotations

import json
import socket
import subprocess
from pathlib import Path

import psutil
import pytest

from tests.e2e.conftest import HEADRACE, ROOT, Outcome
from tests.support.stack import stack

pytestmark = pytest.mark.e2e
PROJECT = ROOT / "examples" / "housing"


def refused(*words: str | Path) -> str:
    """What it says when it does not even start."""
    done = subprocess.run(
        [HEADRACE, "serve", "--all", *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1, done.stdout
    return done.stderr


def test_the_printed_request_is_answered_and_one_signal_ends_all(
    housing_run: Outcome, tmp_path: Path
) -> None:
    with stack(tmp_path / "out", PROJECT, "--home", housing_run.home) as running:
        running.wait_until_ready()
        processes = running.descendants()
        assert len(processes) == 2, "a model without a feature store needs no feature server"
        done = subprocess.run(
            ["bash", "-c", running.curl()], capture_output=True, text=True, check=True
        )
        answer = json.loads(done.stdout)
        assert answer["model"]["name"] == "housing"
        assert isinstance(answer["predictions"][0]["outputs"]["prediction"], float)
        assert running.end() == 0
        assert not any(process.is_running() for process in processes.values())
    logs = housing_run.home / "serving"
    assert {path.name for path in logs.glob("*.log")} == {"model-server.log", "gateway.log"}


def test_when_one_process_dies_it_is_named_and_the_others_end(
    housing_run: Outcome, tmp_path: Path
) -> None:
    with stack(tmp_path / "out", PROJECT, "--home", housing_run.home) as running:
        running.wait_until_ready()
        processes = running.descendants()
        (server,) = [process for words, process in processes.items() if "--model_name" in words]
        server.kill()
        assert running.process.wait(60) == 1
        assert "The model server has ended with exit code -9" in running.output
        assert "Successfully loaded servable version" in running.output, "the end of its log"
        psutil.wait_procs(processes.values(), timeout=1)
        assert not any(process.is_running() for process in processes.values())


def test_a_taken_port_is_named_with_the_option_that_changes_it(housing_run: Outcome) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = refused(PROJECT, "--home", housing_run.home, "--gateway-port", str(port))
    assert f"Port {port}, for the gateway, is taken" in said
    assert "--gateway-port" in said


def test_without_a_model_the_command_that_makes_one_is_named(tmp_path: Path) -> None:
    said = " ".join(refused(PROJECT, "--home", tmp_path).split())
    assert "No version of model 'housing' has been pushed" in said
    assert f"headrace run {PROJECT} --home {tmp_path}" in said
