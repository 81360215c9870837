"""Finding and ending processes, with the standard library alone (Linux)."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15
_PR_SET_CHILD_SUBREAPER = 36
_PROC = Path("/proc")


def die_with_parent(signal_number: int) -> None:
    """Has the kernel send this process a signal when the thread that started it ends."""
    _prctl(_PR_SET_PDEATHSIG, signal_number)


def adopt_orphans() -> None:
    """Makes this process the parent of what its descendants leave running."""
    _prctl(_PR_SET_CHILD_SUBREAPER, 1)


def set_name(name: str) -> None:
    """Sets the name that ``top`` shows for this process (15 bytes of it)."""
    _prctl(_PR_SET_NAME, ctypes.c_char_p(name.encode()))


def children() -> list[int]:
    """This process's children."""
    own = os.getpid()
    return [int(entry.name) for entry in _PROC.glob("[0-9]*") if _parent(entry) == own]


def has_variable(pid: int, name: str, value: str) -> bool:
    """Whether a process was started with this environment variable."""
    try:
        variables = (_PROC / str(pid) / "environ").read_bytes().split(b"\0")
    except OSError:
        return False
    return f"{name}={value}".encode() in variables


def kill_group(pid: int) -> None:
    """Ends a process group by its leader's number, or the process when it leads none."""
    for kill in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            kill(pid, signal.SIGKILL)
            return


def _parent(entry: Path) -> int | None:
    try:
        # The name in parentheses may contain anything; after it come the state and the parent.
        return int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, IndexError, ValueError):
        return None


def _prctl(option: int, value: int | ctypes.c_char_p) -> None:
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)
