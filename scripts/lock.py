"""Resolves the dependencies in setup.py to ``requirements/*.txt``: exact versions with hashes.

The resolution is universal: the same file serves every supported Python on Linux.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
UV = ROOT / ".venv" / "tools" / "bin" / "uv"
OPTIONS = (
    "--universal",
    "--python-version=3.11",
    "--generate-hashes",
    "--no-annotate",
    "--custom-compile-command=make lock",
    "--quiet",
)
#: Arguments that say what to resolve, and the file that it becomes.
LOCKS = (
    (("setup.py", "--all-extras"), "requirements/lock.txt"),
    (("requirements/bootstrap.in",), "requirements/bootstrap.txt"),
    # What the image tfx-gpu has besides.
    (("requirements/gpu.in",), "requirements/gpu.txt"),
    # Environments of their own, that tests make.
    (("requirements/airflow.in",), "requirements/airflow.txt"),
    (("requirements/checks.in",), "requirements/checks.txt"),
    # Environments of their own, that `make bench` makes.
    (("requirements/peers-kserve.in",), "requirements/peers-kserve.txt"),
    (("requirements/peers-mlserver.in",), "requirements/peers-mlserver.txt"),
    (("requirements/peers-bentoml.in",), "requirements/peers-bentoml.txt"),
)


def command(sources: tuple[str, ...], target: str) -> list[str]:
    """The uv command that resolves ``sources`` into ``target``, keeping versions that still fit."""
    return [str(UV), "pip", "compile", *sources, *OPTIONS, "--output-file", target]


def main() -> int:
    """Writes every lock file; returns the exit code."""
    if not UV.exists():
        print("lock: .venv has no uv; run `make setup` first.", file=sys.stderr)
        return 1
    # The certificates of this machine, so that a package mirror inside a company works.
    environment = {**os.environ, "UV_SYSTEM_CERTS": "1"}
    for sources, target in LOCKS:
        result = subprocess.run(command(sources, target), cwd=ROOT, env=environment, check=False)
        if result.returncode:
            print(f"lock: {target} is unchanged.", file=sys.stderr)
            return result.returncode
        print(target)
    return 0


if __name__ == "__main__":
    sys.exit(main())
