"""Writing the prediction log beside the answers, never in their way."""

from __future__ import annotations

import contextlib
import datetime as dt
import itertools
import logging
import os
import random
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from headrace.components.shared.errors import ConfigError
from headrace.serving.gateway.config import Predictions
from headrace.serving.gateway.contract import Contract
from headrace.serving.prediction_log.layout import Layout, Record

_LOGGER = logging.getLogger(__name__)
#: Records that are turned into a table at once, so that they do not wait as Python objects.
_CHUNK = 256
#: Seconds between two looks for records.
_PAUSE = 0.05


@dataclass
class _Open:
    """A file to be: what has come for one version since the last file."""

    folder: Path
    layout: Layout
    since: float
    records: list[Record] = field(default_factory=list)
    tables: list[pa.Table] = field(default_factory=list)
    rows: int = 0


class PredictionLog:
    """Files ``<folder>/<model>/<version>/<time>-….parquet``, each complete once it is there.

    Requests only put a record into a queue. When that is full, or the disk refuses, rows are
    dropped and counted. A process that is killed loses what is younger than the rotation.

    Attributes:
        written: Rows in files.
        dropped: Rows that were lost.
    """

    def __init__(self, settings: Predictions) -> None:
        """Prepares; :meth:`start` starts the writer.

        Raises:
            ConfigError: columns are to be hashed, and there is no key.
        """
        self._settings = settings
        self._key = os.environ.get(settings.hash_key_from, "").encode()
        rules = {*settings.sensitive.values(), *settings.columns.values()}
        if "hash" in rules and not self._key:
            raise ConfigError(
                "gateway.yaml asks for hashed columns in the prediction log, but the environment "
                f"variable {settings.hash_key_from} with their key is not set.",
                fix=f"Set {settings.hash_key_from} to a long random text, and keep it.",
            )
        self.written = 0
        self.dropped = 0
        self._added = 0
        self._taken = 0
        self._queue: deque[Record] = deque()
        self._stopping = threading.Event()
        self._open: dict[tuple[str, int], _Open] = {}
        self._number = itertools.count()
        self._thread = threading.Thread(target=self._run, name="prediction-log", daemon=True)

    def start(self) -> None:
        """Starts the writer."""
        self._thread.start()

    def stop(self) -> None:
        """Writes what there is, and ends."""
        self._stopping.set()
        self._thread.join()

    def add(self, record: Record) -> None:
        """Takes a record, or drops it; never waits. To be called from one thread."""
        if self._settings.sample < 1 and random.random() >= self._settings.sample:
            return
        if self._added - self._taken + record.rows > self._settings.queue_rows:
            self.dropped += record.rows
            return
        self._added += record.rows
        self._queue.append(record)

    def _run(self) -> None:
        # It looks by itself: waking a thread costs a request more than putting a record down.
        while not self._stopping.wait(_PAUSE):
            self._take_all()
            self._rotate(time.monotonic() - self._settings.rotate_seconds)
        self._take_all()
        self._rotate(time.monotonic())

    def _take_all(self) -> None:
        while self._queue:
            self._take(self._queue.popleft())

    def _take(self, record: Record) -> None:
        contract = record.contract
        key = (contract.model, contract.version)
        if key not in self._open:
            self._open[key] = self._begin(contract)
        part = self._open[key]
        part.records.append(record)
        part.rows += record.rows
        if len(part.records) >= _CHUNK:
            self._convert(part)
        if part.rows >= self._settings.rotate_rows:
            self._finish(self._open.pop(key))

    def _begin(self, contract: Contract) -> _Open:
        settings = self._settings
        assert settings.folder is not None
        layout = Layout(
            contract, sensitive=settings.sensitive, columns=settings.columns, key=self._key
        )
        folder = settings.folder / contract.model / str(contract.version)
        return _Open(folder, layout, time.monotonic())

    def _rotate(self, before: float) -> None:
        """Finishes what was begun before a moment."""
        for key in [key for key, part in self._open.items() if part.since <= before]:
            self._finish(self._open.pop(key))

    def _convert(self, part: _Open) -> None:
        rows = sum(record.rows for record in part.records)
        self._taken += rows
        try:
            part.tables.append(part.layout.table(part.records))
        except Exception as error:  # whatever a value is: the log goes on
            self._lose(rows, error)
            part.rows -= rows
        part.records = []

    def _finish(self, part: _Open) -> None:
        if part.records:
            self._convert(part)
        if not part.tables:
            return
        stamp = dt.datetime.now(dt.UTC).strftime("%Y%m%dT%H%M%S")
        path = part.folder / f"{stamp}-{os.getpid()}-{next(self._number)}.parquet"
        # Readers of folders skip names that begin with a dot.
        temporary = path.with_name(f".{path.name}.tmp")
        try:
            part.folder.mkdir(parents=True, exist_ok=True)
            table = pa.concat_tables(part.tables, promote_options="permissive")
            parquet.write_table(table, temporary, compression="zstd")
            temporary.replace(path)
            self.written += part.rows
        except (OSError, pa.ArrowException) as error:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            self._lose(part.rows, error)

    def _lose(self, rows: int, error: Any) -> None:
        self.dropped += rows
        _LOGGER.error("%d rows of the prediction log are lost: %s", rows, error)
