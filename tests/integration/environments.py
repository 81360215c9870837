"""Environments of their own, for programs that cannot or need not be in `.venv`."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def environment(name: str) -> Path:
    """The environment that ``requirements/<name>.txt`` locks; it is made in `build/`.

    Returns:
        Its folder of programs.
    """
    folder = ROOT / "build" / name
    uv = str(ROOT / ".venv" / "tools" / "bin" / "uv")
    # On the Python that `.venv` is made from, with the certificates of this machine.
    python = Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info.minor}"
    variables = {**os.environ, "UV_SYSTEM_CERTS": "1"}
    lock = str(ROOT / "requirements" / f"{name}.txt")
    target = ["--python", str(folder / "bin" / "python")]
    for command in (
        [uv, "venv", "--quiet", "--allow-existing", "--python", str(python), str(folder)],
        [uv, "pip", "sync", "--quiet", *target, "--require-hashes", lock],
    ):
        done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    return folder / "bin"
