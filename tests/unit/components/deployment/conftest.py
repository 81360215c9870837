"""Verdicts of the infra validator on good and bad exports."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).parent


def python(script: str, *arguments: object) -> list[str]:
    """What a script beside this file prints, in a process in which TensorFlow has not run."""
    command = [sys.executable, str(TOOLS / script), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.fixture(scope="session")
def validated(trained, example_artifact, tmp_path_factory):
    """Verdict by the name of the export, and the folder of what each was asked."""
    folder = tmp_path_factory.mktemp("exports")
    python("bad_exports.py", folder)
    (folder / "empty").mkdir()
    (folder / "good").symlink_to(trained[1])
    (folder / "warmup").mkdir()
    names = ["good", "broken", "empty", "apart", "nan"]
    lines = python("validate.py", example_artifact, folder, *names)
    return dict(line.split(": ", 1) for line in lines), folder / "warmup"
