from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from headrace.cli.main import app
from headrace.components.shared.errors import HeadraceError
from headrace.pipelines.cluster import transport

from .server import FakeKfp

PROJECT = """\
name: taxi
label: {column: late, task: binary_classification}
sources:
  trips: {format: sql, url: "postgresql://db/trips", query: SELECT * FROM trips}
features: {exclude: [id]}
training: {epochs: 3}
serving: {destination: "s3://models/live"}
"""

Command = Callable[..., Result]


@pytest.fixture(autouse=True)
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No settings of whoever runs the tests, and no long waits."""
    for name in os.environ:
        if name.startswith(("HEADRACE_KFP", "KF_PIPELINES")):
            monkeypatch.delenv(name)
    monkeypatch.setattr("kfp.client.Client._LOCAL_KFP_CONTEXT", str(tmp_path / "context.json"))
    monkeypatch.setattr(transport, "FIRST_WAIT", 0.01)
    monkeypatch.setattr(transport, "LONGEST_WAIT", 0.02)


@pytest.fixture
def server() -> Iterator[FakeKfp]:
    with FakeKfp() as running:
        yield running


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "taxi"
    folder.mkdir()
    (folder / "project.yaml").write_text(PROJECT)
    (folder / "preprocessing.py").write_text("def preprocessing_fn(inputs):\n    return inputs\n")
    (folder / "model.py").write_text("def build_model(hp, transform):\n    return None\n")
    return folder


@pytest.fixture
def command(server: FakeKfp, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Runs a command against the server; its error, if for people, is ``result.exception``."""
    monkeypatch.setenv("HEADRACE_KFP_HOST", server.url)
    monkeypatch.setenv("COLUMNS", "200")

    def invoke(*words: Any) -> Result:
        return CliRunner().invoke(app, [str(word) for word in words])

    return invoke


@pytest.fixture
def done(command: Command) -> Callable[..., str]:
    """Runs a command that must succeed; its output."""

    def invoke(*words: Any) -> str:
        result = command(*words)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == 0, result.output
        return result.output

    return invoke


@pytest.fixture
def refused(command: Command) -> Callable[..., HeadraceError]:
    """Runs a command that must fail with an error for people; that error."""

    def invoke(*words: Any) -> HeadraceError:
        result = command(*words)
        if not isinstance(result.exception, HeadraceError):
            raise AssertionError(result.output) from result.exception
        return result.exception

    return invoke
