"""How many steps run at once: one per processor core, and within the memory that is free."""

from __future__ import annotations

import contextlib
import itertools
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil

#: What a step that names no memory request is assumed to take.
DEFAULT_REQUEST = 10**9
_MEMORY_SHARE = 0.8


def gpus() -> int:
    """GPUs of this machine that NVIDIA's driver shows."""
    return len(list(Path("/dev").glob("nvidia[0-9]*")))


class Stopped(Exception):
    """The run is being stopped: nothing new starts."""


class Slots:
    """Admits steps; those that most others wait for go first."""

    def __init__(
        self, stop: threading.Event, *, cores: int | None = None, memory: int | None = None
    ) -> None:
        self._stop = stop
        self._cores = cores or os.cpu_count() or 1
        self._memory = memory or int(psutil.virtual_memory().available * _MEMORY_SHARE)
        self._running: dict[int, int] = {}
        self._waiting: list[tuple[int, int]] = []
        self._tickets = itertools.count()
        self._changed = threading.Condition()

    @contextlib.contextmanager
    def hold(self, memory: int | None, *, urgency: int = 0) -> Iterator[None]:
        """Waits for a free core and enough memory, and holds them.

        Args:
            memory: Bytes the step asks for.
            urgency: How many steps follow one another behind this one.

        Raises:
            Stopped: The run ends before the step's turn comes.
        """
        number = next(self._tickets)
        request = min(memory or DEFAULT_REQUEST, self._memory)
        with self._changed:
            place = (-urgency, number)
            self._waiting.append(place)
            try:
                # Strictly in order, so that small steps never starve a large one.
                self._changed.wait_for(
                    lambda: (
                        self._stop.is_set() or (min(self._waiting) == place and self._fits(request))
                    )
                )
            finally:
                self._waiting.remove(place)
                self._changed.notify_all()
            if self._stop.is_set():
                raise Stopped
            self._running[number] = request
        try:
            yield
        finally:
            with self._changed:
                del self._running[number]
                self._changed.notify_all()

    def wake(self) -> None:
        """Has waiting steps look whether the run is being stopped."""
        with self._changed:
            self._changed.notify_all()

    def _fits(self, request: int) -> bool:
        taken = sum(self._running.values())
        return len(self._running) < self._cores and (
            not self._running or taken + request <= self._memory
        )
