"""A run killed anywhere goes on where it stopped, and ends with the same model."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.e2e.conftest import HEADRACE, ROOT, headrace, newest_record

pytestmark = pytest.mark.e2e

#: Step, and whether to kill in the middle of it or right after it.
KILLS = [
    ("ingest", "after"),
    ("example-gen", "during"),
    ("statistics-gen", "after"),
    ("transform", "during"),
    ("trainer", "during"),
    ("trainer", "after"),
    ("evaluator", "during"),
]
ENDED = {"succeeded", "cached"}


def kill_at(home: Path, step: str, moment: str, *options: str) -> None:
    command = [HEADRACE, "run", "examples/housing", "--home", home, *options]
    process = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    wanted = {"running"} if moment == "during" else ENDED
    deadline = time.monotonic() + 180
    while state_of(home, step) not in wanted:
        assert process.poll() is None, f"the run ended before {step} was {wanted}"
        assert time.monotonic() < deadline, f"{step} was never {wanted}"
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()


def state_of(home: Path, step: str) -> str:
    if not list((home / "runs").glob("*/run.json")):
        return ""
    task = newest_record(home).tasks.get(step)
    return task.state.value if task else ""


def test_a_run_killed_at_seven_points_ends_with_the_unbroken_runs_metrics(housing_run, tmp_path):
    home = tmp_path / "home"
    options: tuple[str, ...] = ()
    for step, moment in KILLS:
        kill_at(home, step, moment, *options)
        assert not list((home / "models").glob("*/[0-9]*")), "pushed before its time"
        options = ("--resume", "latest")
    ended = headrace("run", "examples/housing", *options, home=home)
    assert ended.code == 0, ended.output
    assert ended.metrics() == pytest.approx(housing_run.metrics(), rel=1e-5)
    assert ended.versions("housing") == ["1"]
    assert not list((home / "steps" / ".partial").glob("*"))
