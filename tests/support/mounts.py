"""Small file systems, to fill them up: a fixture that folders' conftest files import."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest


@pytest.fixture
def mounted(tmp_path: Path) -> Iterator[Callable[[str | Path, str], Path]]:
    """Mounts a file system of a size: ``mounted("name", "64k")``, below the test's folder."""
    places: list[Path] = []

    def mount(name: str | Path, size: str) -> Path:
        place = tmp_path / name
        place.mkdir(parents=True, exist_ok=True)
        command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)]
        if shutil.which("mount") is None or subprocess.run(command, capture_output=True).returncode:
            pytest.skip("mounting a tmpfs is not possible here")
        places.append(place)
        return place

    yield mount
    for place in places:
        subprocess.run(["umount", "-l", str(place)], check=True)
