"""Rows that wait to be written offline, in files of a reasonable size."""

from __future__ import annotations

import time

import polars as pl

from headrace.feature_store.rolling.definition import EVENT_TIMESTAMP, RollingView
from headrace.feature_store.streaming.writers import Rows


class PendingRows:
    """Collects rows by view; of the same key and moment the last one counts.

    Attributes:
        count: How many there are.
    """

    def __init__(self, views: list[RollingView]) -> None:
        self._keys = {view.name: [*view.keys, EVENT_TIMESTAMP] for view in views}
        self._frames: dict[str, list[pl.DataFrame]] = {}
        self._since = 0.0
        self.count = 0

    def add(self, rows: Rows) -> None:
        """Adds the rows of a batch."""
        if rows and not self.count:
            self._since = time.monotonic()
        for name, frame in rows.items():
            self._frames.setdefault(name, []).append(frame)
            self.count += frame.height

    @property
    def age(self) -> float:
        """Seconds since the oldest was added."""
        return time.monotonic() - self._since if self.count else 0.0

    def take(self) -> Rows:
        """Hands them out."""
        taken = {
            name: pl.concat(frames).unique(self._keys[name], keep="last", maintain_order=True)
            for name, frames in self._frames.items()
        }
        self._frames, self.count = {}, 0
        return taken
