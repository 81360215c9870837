"""Environments of the servers that ours is compared with; each is locked and made in `build/`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from benchmarks.flagship import BenchmarkError

ROOT = Path(__file__).resolve().parents[2]


def programs(name: str) -> Path:
    """The programs of the environment that ``requirements/<name>.txt`` locks.

    Raises:
        BenchmarkError: it cannot be made.
    """
    folder = ROOT / "build" / name
    uv = str(ROOT / ".venv" / "tools" / "bin" / "uv")
    python = Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info.minor}"
    lock = str(ROOT / "requirements" / f"{name}.txt")
    target = ["--python", str(folder / "bin" / "python")]
    for command in (
        [uv, "venv", "--quiet", "--allow-existing", "--python", str(python), str(folder)],
        [uv, "pip", "sync", "--quiet", *target, "--require-hashes", lock],
    ):
        # With the certificates of this machine, so that a package mirror works.
        variables = {**os.environ, "UV_SYSTEM_CERTS": "1"}
        done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise BenchmarkError(f"The environment {name} cannot be made:\n{done.stderr}")
    return folder / "bin"
