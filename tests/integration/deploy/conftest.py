from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from ..environments import ROOT, environment

SERVING = ROOT / "serving" / "deploy"
PIPELINES = ROOT / "pipelines" / "deploy"
ENVIRONMENTS = ("dev", "staging", "prod")
Resources = list[dict[str, Any]]


@pytest.fixture(scope="session")
def programs() -> Path:
    """Folder of kubectl, check-jsonschema and a Python with parsers."""
    return environment("checks")


@pytest.fixture(scope="session")
def render(programs: Path) -> Callable[[Path], Resources]:
    """What `kubectl apply -k` would send to the cluster."""
    known: dict[Path, Resources] = {}

    def rendered(folder: Path) -> Resources:
        if folder not in known:
            command = [str(programs / "kubectl"), "kustomize", str(folder)]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr
            assert "deprecated" not in done.stderr
            known[folder] = list(yaml.safe_load_all(done.stdout))
        return known[folder]

    return rendered


@pytest.fixture
def overlay(tmp_path: Path) -> Callable[..., Path]:
    """A kustomization of a test's own: production's serving with further components."""

    def made(*components: Path) -> Path:
        folder = tmp_path.resolve()
        relative = {path: os.path.relpath(path.resolve(), folder) for path in components}
        content = {
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "resources": [os.path.relpath(SERVING / "overlays" / "prod", folder)],
            "components": list(relative.values()),
        }
        (folder / "kustomization.yaml").write_text(yaml.safe_dump(content))
        return folder

    return made
