"""The event log: all accepted events in the order of arrival, as Parquet files in a folder.

It is the truth; features are derived from it. A batch is in it whole or not at all, and being in it
is what makes the batch done.

A file is named after the first and the last batch in it. Many small files are merged into one that
spans them; a crash in between leaves both, and the one that spans the others counts.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import polars as pl
import pyarrow.parquet as pq

from headrace.components.shared.errors import SourceError, StorageError
from headrace.components.shared.files import read_json, write_json, writing
from headrace.feature_store.rolling.definition import CREATED, KNOWN_AT
from headrace.feature_store.streaming.events import MOMENT, EventSchema

BATCH = "batch"
_NAME = re.compile(r"(\d{12})-(\d{12})\.parquet")
_MANY = 64
_LARGE = 200_000


class _Part(NamedTuple):
    first: int
    last: int
    rows: int
    path: Path


class EventLog:
    """A folder of events, held by one consumer at a time.

    Attributes:
        folder: The folder.
    """

    def __init__(self, folder: Path | str, schema: EventSchema) -> None:
        self.folder = Path(folder)
        self._schema = schema
        self._types = {**schema.polars, CREATED: MOMENT, BATCH: pl.Int64}
        self._lock: int | None = None
        self._parts: list[_Part] = []
        self._flushed = 0

    def open(self) -> None:
        """Takes the folder; removes what a killed consumer left half done.

        Raises:
            StorageError: another consumer holds it, or it cannot be written.
        """
        with writing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock = os.open(self.folder / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.close()
            raise StorageError(
                f"The event log {self.folder} is in use by another consumer.",
                fix="Stop it first. One consumer serves a stream; a second needs its own log, "
                "group and feature views.",
            ) from None
        self._clean()
        marker = self.folder / "flushed.json"
        self._flushed = int(read_json(marker)["batch"]) if marker.exists() else 0

    def close(self) -> None:
        """Lets go of the folder; so does the end of the process."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    @property
    def last(self) -> int:
        """Number of the last batch; 0 when there is none."""
        return self._parts[-1].last if self._parts else 0

    @property
    def flushed(self) -> int:
        """Number of the last batch whose rows are in the offline store."""
        return self._flushed

    def append(self, events: pl.DataFrame, created: datetime) -> None:
        """Adds a batch; when this returns, the disk has it.

        Args:
            events: Accepted events in the order of arrival.
            created: When their rows were computed.
        """
        number = self.last + 1
        batch = events.with_columns(
            pl.lit(created, dtype=MOMENT).alias(CREATED), pl.lit(number, pl.Int64).alias(BATCH)
        )
        self._parts.append(self._write(batch, number, number))
        small = [part for part in self._parts if part.rows < _LARGE]
        if len(small) >= _MANY:
            self._merge()

    def mark_flushed(self, batch: int) -> None:
        """Says that all rows up to a batch are in the offline store."""
        self._flushed = batch
        write_json(self.folder / "flushed.json", {"batch": batch})
        _sync(self.folder / "flushed.json")
        _sync(self.folder)

    def events(
        self, since: datetime | None = None, *, after: int = 0, up_to: int | None = None
    ) -> pl.DataFrame:
        """Events known since a moment, of some batches, in the order of arrival."""
        found = self.scan().filter(pl.col(BATCH) > after)
        if up_to is not None:
            found = found.filter(pl.col(BATCH) <= up_to)
        if since is not None:
            found = found.filter(pl.col(KNOWN_AT) >= since)
        return found.select(list(self._schema.polars)).collect()

    def newest(self, up_to_batch: int) -> datetime | None:
        """The newest event's moment."""
        found = self.scan().filter(pl.col(BATCH) <= up_to_batch).select(pl.col(KNOWN_AT).max())
        newest: datetime | None = found.collect().item()
        return newest

    def created(self) -> datetime | None:
        """When the last rows were computed."""
        created: datetime | None = self.scan().select(pl.col(CREATED).max()).collect().item()
        return created

    def scan(self) -> pl.LazyFrame:
        """All events, in the order of arrival, with `created` and `batch`."""
        if not self._parts:
            return pl.DataFrame(schema=self._types).lazy()
        paths = [part.path for part in self._parts]
        # Views may have gained or lost columns since a file was written.
        return pl.scan_parquet(
            paths, schema=self._types, missing_columns="insert", extra_columns="ignore", glob=False
        )

    def _clean(self) -> None:
        found = [part for path in self.folder.iterdir() if (part := _part(path))]
        self._parts = []
        for part in sorted(found, key=lambda part: (part.first, -part.last)):
            if self._parts and part.last <= self._parts[-1].last:
                part.path.unlink()
            else:
                self._parts.append(part)
        for path in self.folder.glob(".*.tmp"):
            path.unlink()

    def _merge(self) -> None:
        """Merges the newest files back to the last large one."""
        large = [at for at, part in enumerate(self._parts) if part.rows >= _LARGE]
        at = large[-1] + 1 if large else 0
        small = self._parts[at:]
        if len(small) < 2:
            return
        merged = pl.concat(
            [pl.read_parquet(part.path, glob=False) for part in small], how="diagonal"
        )
        self._parts[at:] = [self._write(merged, small[0].first, small[-1].last)]
        for part in small:
            part.path.unlink()

    def _write(self, frame: pl.DataFrame, first: int, last: int) -> _Part:
        path = self.folder / f"{first:012d}-{last:012d}.parquet"
        temporary = self.folder / f".{path.name}.tmp"
        with writing(path):
            try:
                frame.write_parquet(temporary, compression="zstd", compression_level=1)
                _sync(temporary)
                temporary.replace(path)
                _sync(self.folder)
            finally:
                temporary.unlink(missing_ok=True)
        return _Part(first, last, frame.height, path)


def _part(path: Path) -> _Part | None:
    match = _NAME.fullmatch(path.name)
    if match is None:
        return None
    try:
        rows = pq.read_metadata(path).num_rows
    except Exception as error:
        raise SourceError(
            f"{path} is not a readable part of the event log: {error}",
            fix="Restore the file from a backup; without it, features of its events are lost.",
        ) from error
    return _Part(int(match[1]), int(match[2]), rows, path)


def _sync(path: Path) -> None:
    """Waits until the disk has a file, or the names in a folder."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # Some network file systems cannot.
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
