"""Waiting for what other processes and threads do."""

import time
from collections.abc import Callable


def eventually(check: Callable[[], object], seconds: float = 30) -> None:
    """Waits until something becomes true."""
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, f"not true after {seconds} s"
        time.sleep(0.02)
