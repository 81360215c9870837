"""Watches memory: each step's, against its limit, and the whole run's."""

from __future__ import annotations

import contextlib
import os
import threading
from collections import defaultdict
from collections.abc import Iterator

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
            families = _Families()
            for handle, limit in list(self._steps.values()):
                if handle.pid is not None and not handle.ending:
                    self._check(handle, limit, families.step_memory(handle.pid))
            if rounds % _TOTAL_EVERY == 0:
                self.total_peak = max(self.total_peak, families.total(os.getpid()))
            rounds += 1

    def _check(self, handle: Handle, limit: int | None, used: int) -> None:
        self._peaks[handle.id] = max(self._peaks.get(handle.id, 0), used)
        if limit and used > limit and handle.exceeded is None:
            handle.exceeded = used
            handle.kill()


class _Families:
    """Who is whose child, at one moment."""

    def __init__(self) -> None:
        self._children: dict[int, list[psutil.Process]] = defaultdict(list)
        for process in psutil.process_iter(["ppid"]):
            self._children[process.info["ppid"]].append(process)

    def step_memory(self, pid: int) -> int:
        """What a container would be charged: the step's pages, and its children's own ones."""
        with contextlib.suppress(psutil.Error, FileNotFoundError):
            own: int = psutil.Process(pid).memory_info().rss
            return own + sum(_memory(process, "uss") for process in self._below(pid))
        return 0

    def total(self, pid: int) -> int:
        """Memory of a process and all below it, shared pages counted once."""
        return sum(_memory(process, "pss") for process in (psutil.Process(pid), *self._below(pid)))

    def _below(self, pid: int) -> Iterator[psutil.Process]:
        for process in self._children[pid]:
            yield process
            yield from self._below(process.pid)


def _memory(process: psutil.Process, kind: str) -> int:
    with contextlib.suppress(psutil.Error, FileNotFoundError):
        return int(getattr(process.memory_full_info(), kind))
    return 0
