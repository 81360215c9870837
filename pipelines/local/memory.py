"""Watches memory: each step's, against its limit, and the whole run's."""

from __future__ import annotations

import contextlib
import threading

import psutil
from headrace.pipelines.local.warm import Handle

_INTERVAL_SECONDS = 0.25
#: Proportional memory of every process takes longer to read: every so many rounds.
_TOTAL_EVERY = 4


class MemoryWatch:
    """A thread that samples."""

    def __init__(self) -> None:
        self.total_peak = 0
        self._steps: dict[str, tuple[Handle, int | None]] = {}
        self._peaks: dict[str, int] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample, name="memory", daemon=True)
        self._thread.start()

    def add(self, handle: Handle, limit: int | None) -> None:
        """Watches a step; ends it when it uses more than ``limit`` bytes."""
        self._steps[handle.id] = (handle, limit)

    def remove(self, handle: Handle) -> int:
        """Stops watching; returns the peak in bytes."""
        self._steps.pop(handle.id, None)
        measured = handle.ending.peak_bytes if handle.ending else 0
        return max(self._peaks.pop(handle.id, 0), measured)

    def close(self) -> None:
        """Stops sampling."""
        self._stop.set()
        self._thread.join()

    def _sample(self) -> None:
        rounds = 0
        while not self._stop.wait(_INTERVAL_SECONDS):
            for handle, limit in list(self._steps.values()):
                self._sample_step(handle, limit)
            if rounds % _TOTAL_EVERY == 0:
                self.total_peak = max(self.total_peak, _proportional(psutil.Process()))
            rounds += 1

    def _sample_step(self, handle: Handle, limit: int | None) -> None:
        if handle.pid is None or handle.ending:
            return
        used = _step_memory(handle.pid)
        self._peaks[handle.id] = max(self._peaks.get(handle.id, 0), used)
        if limit and used > limit and handle.exceeded is None:
            handle.exceeded = used
            handle.kill()


def _step_memory(pid: int) -> int:
    """What a container would be charged for: the step's pages, and its children's own ones."""
    total = 0
    with contextlib.suppress(psutil.Error, FileNotFoundError):
        process = psutil.Process(pid)
        total = process.memory_info().rss
        for child in process.children(recursive=True):
            with contextlib.suppress(psutil.Error, FileNotFoundError):
                total += child.memory_full_info().uss
    return total


def _proportional(root: psutil.Process) -> int:
    total = 0
    with contextlib.suppress(psutil.Error, FileNotFoundError):
        for process in (root, *root.children(recursive=True)):
            with contextlib.suppress(psutil.Error, FileNotFoundError):
                total += process.memory_full_info().pss
    return total
