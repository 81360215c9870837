"""Environments of their own, for programs that cannot or need not be in `.venv`."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
UV = str(ROOT / ".venv" / "tools" / "bin" / "uv")


def environment(name: str) -> Path:
    """The environment that ``requirements/<name>.txt`` locks; it is made in `build/`.

    Returns:
        Its folder of programs.
    """
    lock = str(ROOT / "requirements" / f"{name}.txt")
    return _made(ROOT / "build" / name, "sync", "--require-hashes", lock)


def environment_of(folder: Path, *packages: str) -> Path:
    """An environment with these packages alone, in the versions that `.venv` has.

    Returns:
        Its folder of programs.
    """
    lock = str(ROOT / "requirements" / "lock.txt")
    return _made(folder, "install", "--constraint", lock, *packages)


def _made(folder: Path, *how: str) -> Path:
    # On the Python that `.venv` is made from, with the certificates of this machine.
    python = Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info.minor}"
    variables = {**os.environ, "UV_SYSTEM_CERTS": "1"}
    verb, *what = how
    target = ["--python", str(folder / "bin" / "python")]
    for command in (
        [UV, "venv", "--quiet", "--allow-existing", "--python", str(python), str(folder)],
        [UV, "pip", verb, "--quiet", *target, *what],
    ):
        done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    return folder / "bin"
