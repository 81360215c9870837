"""Writing rows offline beside the batches, so that a large file does not make features wait."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from typing import Protocol

from headrace.feature_store.streaming.log import EventLog
from headrace.feature_store.streaming.metrics import Metrics
from headrace.feature_store.streaming.pending import PendingRows
from headrace.feature_store.streaming.writers import Rows, RowWriter


class OfflineRows(RowWriter, Protocol):
    """A writer of files, which become many."""

    def compact(self) -> None:
        """Merges files where there are many."""


class Flusher:
    """Writes waiting rows in a thread, one flush at a time.

    The log learns that rows are written only after they are: a crash in between makes the next
    consumer compute and write them again.
    """

    def __init__(
        self, pending: PendingRows, offline: OfflineRows, log: EventLog, metrics: Metrics
    ) -> None:
        self._pending = pending
        self._offline = offline
        self._log = log
        self._metrics = metrics
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="headrace-flush")
        self._running: tuple[Future[int], int] | None = None

    def begin(self) -> None:
        """Begins to write what waits, unless a flush is still under way."""
        self.settle()
        if self._running is None and self._pending.count:
            rows = self._pending.take()
            self._running = self._thread.submit(self._write, rows), self._log.last

    def settle(self) -> None:
        """Notes a flush that has ended; raises what it raised."""
        self._settle(wait=False)

    def finish(self) -> None:
        """Writes everything, and waits for it."""
        self._settle(wait=True)
        self.begin()
        self._settle(wait=True)

    def close(self) -> None:
        """Waits for a flush that is under way, whatever becomes of it."""
        self._thread.shutdown()

    def _settle(self, *, wait: bool) -> None:
        if self._running is None:
            return
        future, batch = self._running
        if wait or future.done():
            self._running = None
            rows = future.result()
            self._log.mark_flushed(batch)
            self._metrics.flushed(rows)

    def _write(self, rows: Rows) -> int:
        self._offline.write(rows)
        self._offline.compact()
        return sum(frame.height for frame in rows.values())
