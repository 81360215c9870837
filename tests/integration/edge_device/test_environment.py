"""A device installs what docs/how-to/edge.md says, and nothing else."""

import json
import os
import re
import subprocess

import pytest

from ..environments import ROOT, environment_of

PAGE = ROOT / "docs" / "how-to" / "edge.md"
FOLDERS = ("components", "pipelines", "feature_store", "serving", "cli")


@pytest.fixture(scope="module")
def python(tmp_path_factory):
    """Runs Python on a device: the packages of the page, and Headrace without dependencies."""
    folder = tmp_path_factory.mktemp("device")
    text = PAGE.read_text(encoding="utf-8").replace("\\\n", " ")
    packages = re.search(r"pip install --constraint requirements/lock.txt (.+)", text)[1].split()
    program = environment_of(folder / "environment", *packages) / "python"
    (folder / "site" / "headrace").mkdir(parents=True)
    for name in FOLDERS:
        (folder / "site" / "headrace" / name).symlink_to(ROOT / name)
    (folder / "site" / "headrace" / "__init__.py").symlink_to(ROOT / "headrace" / "__init__.py")

    def run(*words):
        done = subprocess.run(
            [str(program), *map(str, words)],
            env={**os.environ, "PYTHONPATH": str(folder / "site"), "PYTHONDONTWRITEBYTECODE": "1"},
            capture_output=True,
            text=True,
            cwd=folder,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_the_command_on_a_device(python, versions, server, root):
    key = versions.home / "edge-public-key.pem"
    command = ("-m", "headrace.cli", "edge")
    trust = ("--public-key", key)
    update = (*command, "update", "--from", server.url, "--to", root, *trust)
    assert "Version 1 is active" in python(*update)
    versions.push(2)
    assert "Version 2 is active, after version 1" in python(*update)
    said = python(*command, "predict", root / "current", '{"x": 1.5}', *trust, "--json")
    assert json.loads(said)["predictions"] == [{"y": 3.0}]


def test_what_a_device_does_not_have(python):
    code = "import importlib.metadata as m; print(*{d.name.lower() for d in m.distributions()})"
    there = set(python("-c", code).split())
    assert {"ai-edge-litert", "numpy"} <= there
    assert not there & {"tensorflow", "keras", "kfp", "feast", "tfx", "pandas", "pyarrow"}
    assert len(there) < 40
