from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from headrace.pipelines.local.records import RunRecord

ROOT = Path(__file__).resolve().parents[2]
HEADRACE = Path(sys.executable).with_name("headrace")


@dataclass(frozen=True)
class Outcome:
    """What a run of the command left behind."""

    code: int
    output: str
    home: Path
    record: RunRecord

    def states(self) -> dict[str, str]:
        return {name: task.state.value for name, task in self.record.tasks.items()}

    def metrics(self) -> dict[str, float]:
        return self.record.tasks["evaluator"].outputs.artifacts["metrics"].metadata

    def versions(self, model: str) -> list[str]:
        return sorted(path.name for path in (self.home / "models" / model).glob("[0-9]*"))


def newest_record(home: Path) -> RunRecord:
    newest = max((home / "runs").glob("*/run.json"), key=os.path.getmtime)
    return RunRecord.model_validate_json(newest.read_text())


def headrace(*arguments: str | Path, home: Path) -> Outcome:
    result = subprocess.run(
        [HEADRACE, *map(str, arguments), "--home", home],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    output = result.stdout + result.stderr
    return Outcome(result.returncode, output, home, newest_record(home))


@pytest.fixture(scope="session")
def flights_run(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """The flagship, trained once from scratch."""
    home = tmp_path_factory.mktemp("flights")
    return headrace("run", "examples/flights", home=home)


@pytest.fixture(scope="session")
def taxi_run(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    return headrace("run", "examples/taxi", home=tmp_path_factory.mktemp("taxi"))


@pytest.fixture(scope="session")
def housing_run(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    return headrace("run", "examples/housing", home=tmp_path_factory.mktemp("housing"))


@pytest.fixture
def copy_of(tmp_path: Path) -> Callable[[Outcome], Path]:
    """A home of one's own that starts where a shared run ended."""

    def copy(outcome: Outcome) -> Path:
        return Path(shutil.copytree(outcome.home, tmp_path / "home", symlinks=True))

    return copy


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the flagship that a test may change, with the Feast repository that it names."""
    without = shutil.ignore_patterns(".*", "data", "__pycache__")
    for folder in ("feature_repo", "examples/flights"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=without)
    return tmp_path / "examples" / "flights"
