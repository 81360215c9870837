"""The consumer: from a stream of events to fresh features, online and offline.

A batch's effects come in an order that makes every crash harmless:

1. Its rows are written online. Written again they change nothing.
2. Its events are appended to the event log. From now on it is done.
3. Unusable messages go to the dead letters, and the batch is acknowledged. A crash before that
   makes the stream repeat it; its events are then known by their ids.
4. Its rows are written offline together with those of other batches, and the log remembers up to
   which batch. A crash before that makes the next consumer compute the rows again from the log.
"""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from headrace.feature_store.online.errors import OnlineStoreError
from headrace.feature_store.rolling.definition import CREATED, RollingView
from headrace.feature_store.rolling.engine import in_order
from headrace.feature_store.rolling.registry import rolling_views
from headrace.feature_store.streaming.events import MOMENT, EventSchema, event_schema
from headrace.feature_store.streaming.flush import Flusher
from headrace.feature_store.streaming.intake import read
from headrace.feature_store.streaming.log import EventLog
from headrace.feature_store.streaming.metrics import Metrics, Summary
from headrace.feature_store.streaming.pending import PendingRows
from headrace.feature_store.streaming.retry import Patience, Stopped
from headrace.feature_store.streaming.source import DeadLetter, Entry, EventSource
from headrace.feature_store.streaming.state import RollingState
from headrace.feature_store.streaming.writers import OfflineWriter, OnlineWriter, Rows

if TYPE_CHECKING:
    from feast import FeatureStore

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class ConsumerOptions:
    """How to consume.

    Attributes:
        batch: Messages per micro-batch at most; a batch takes what is there.
        poll_seconds: How long to wait for a message before looking whether to stop or flush.
        lateness: How much older than the newest event before it an event may be.
        ahead: How far in the future an event may be known; more is a wrong clock.
        flush_rows: From how many waiting rows on to write offline.
        flush_seconds: After how long to write them anyway.
        idle_seconds: Stop when no message came for so long; None runs until stopped.
        metrics_port: Where Prometheus may ask; None for nowhere.
    """

    batch: int = 2_000
    poll_seconds: float = 0.25
    lateness: timedelta = timedelta(hours=1)
    ahead: timedelta = timedelta(minutes=10)
    flush_rows: int = 500_000
    flush_seconds: float = 30.0
    idle_seconds: float | None = None
    metrics_port: int | None = None


def consume(
    store: FeatureStore,
    source: EventSource,
    log: Path | str,
    options: ConsumerOptions | None = None,
    *,
    stop: threading.Event | None = None,
) -> Summary:
    """Keeps all rolling views of a feature store fresh until it is stopped.

    SIGTERM and SIGINT stop it after the batch at hand, with everything written.

    Args:
        store: Feast's feature store; views are those with a rolling definition.
        source: The stream.
        log: Folder of the event log; a new one begins with the stream's first message.
        options: How.
        stop: Another way to stop it.

    Raises:
        HeadraceError: the views, the log or a store are not usable.
    """
    stop = stop or threading.Event()
    views = rolling_views(store)
    schema = event_schema(store, views)
    metrics, options = Metrics(), options or ConsumerOptions()
    events = EventLog(log, schema)
    events.open()
    try:
        if options.metrics_port is not None:
            metrics.serve(options.metrics_port)
        writers = Writers(OnlineWriter(store, views), OfflineWriter(store, views))
        with _stopped_by_signals(stop):
            consumer = Consumer(views, schema, source, events, writers, options, metrics, stop)
            return consumer.run()
    finally:
        metrics.close()
        source.close()
        events.close()


def seed(store: FeatureStore, log: Path | str, events: pl.DataFrame) -> None:
    """Begins an event log with history whose rows are in the stores already.

    Windows of the stream's first events then reach back into it. Does nothing to a log that is not
    empty.

    Args:
        store: Feast's feature store.
        log: Folder of the event log.
        events: The events that the rows were computed from.
    """
    schema = event_schema(store, rolling_views(store))
    history = EventLog(log, schema)
    history.open()
    try:
        if history.last == 0:
            history.append(in_order(schema.conform(events)), datetime.now(UTC))
        if history.last == 1:
            history.mark_flushed(1)
    finally:
        history.close()


@dataclass(frozen=True)
class Writers:
    """Where rows go.

    Attributes:
        online: At once.
        offline: Now and then.
    """

    online: OnlineWriter
    offline: OfflineWriter


class Consumer:
    """Processes batches; made by :func:`consume`."""

    def __init__(
        self,
        views: list[RollingView],
        schema: EventSchema,
        source: EventSource,
        log: EventLog,
        writers: Writers,
        options: ConsumerOptions,
        metrics: Metrics,
        stop: threading.Event,
    ) -> None:
        self._schema = schema
        self._source = source
        self._log = log
        self._writers = writers
        self._options = options
        self._metrics = metrics
        self._patience = Patience(stop)
        self._state = RollingState(views, schema, options.lateness)
        self._pending = PendingRows(views)
        self._flusher = Flusher(self._pending, writers.offline, log, metrics)
        self._created = datetime.fromtimestamp(0, UTC)
        self._recovered = 0

    def run(self) -> Summary:
        """Recovers, then processes batches until it is stopped."""
        began = time.monotonic()
        with closing(self._flusher):
            try:
                self._recover()
                self._patience.call("Opening the stream", self._source.transient, self._source.open)
                self._follow()
            except Stopped as what:
                _LOG.info("Stopped while waiting: %s", what)
            self._flusher.finish()
        return self._metrics.summary(
            recovered=self._recovered,
            retries=self._patience.waits,
            seconds=time.monotonic() - began,
            watermark=self._state.watermark,
        )

    def _recover(self) -> None:
        """Rebuilds the state from the log, and writes rows that may not be written yet."""
        flushed = self._log.flushed
        self._created = self._log.created() or self._created
        newest = self._log.newest(flushed)
        if newest is not None:
            since = newest - self._state.reach
            self._state.restore(self._log.events(since, up_to=flushed))
        tail = self._log.events(after=flushed)
        self._recovered = tail.height
        if not tail.is_empty():
            _LOG.info("Computing the rows of %d logged events again", tail.height)
            rows = self._stamped(self._state.absorb(tail))
            self._write_online(rows)
            self._pending.add(rows)
            self._flusher.finish()

    def _follow(self) -> None:
        last = time.monotonic()
        idle = self._options.idle_seconds
        while not self._patience.stop.is_set():
            entries = self._patience.call(
                "Reading the stream",
                self._source.transient,
                self._source.poll,
                self._options.batch,
                self._options.poll_seconds,
            )
            if entries:
                self._batch(entries)
                last = time.monotonic()
            elif idle is not None and time.monotonic() - last > idle:
                return
            self._flusher.settle()
            if self._is_flush_due():
                self._flusher.begin()

    def _batch(self, entries: list[Entry]) -> None:
        intake = read(self._schema, entries, datetime.now(UTC) + self._options.ahead)
        done = self._state.process(intake.events)
        rows, admitted = self._stamped(done.rows), done.admitted
        self._write_online(rows)
        waited = intake.waited(admitted.events, time.time())
        if not admitted.events.is_empty():
            self._log.append(admitted.events, self._created)
        self._pending.add(rows)
        self._metrics.fresh(waited)
        self._metrics.batch(admitted, len(intake.unreadable), self._state.watermark)
        self._acknowledge(entries, [*intake.unreadable, *intake.late(admitted.late)])

    def _acknowledge(self, entries: list[Entry], letters: list[DeadLetter]) -> None:
        source = self._source
        if letters:
            _LOG.warning("%d dead letters, the first: %s", len(letters), letters[0].reason)
            self._patience.call(
                "Writing dead letters", source.transient, source.dead_letter, letters
            )
        self._patience.call("Acknowledging a batch", source.transient, source.commit, entries)

    def _write_online(self, rows: Rows) -> None:
        self._patience.call("Writing online", (OnlineStoreError,), self._writers.online.write, rows)

    def _stamped(self, rows: Rows) -> Rows:
        """Adds when the rows were computed: later than all before, whatever the clock says."""
        self._created = max(datetime.now(UTC), self._created + timedelta(microseconds=1))
        created = pl.lit(self._created, dtype=MOMENT).alias(CREATED)
        return {name: frame.with_columns(created) for name, frame in rows.items()}

    def _is_flush_due(self) -> bool:
        pending, options = self._pending, self._options
        return pending.count >= options.flush_rows or pending.age >= options.flush_seconds


@contextmanager
def _stopped_by_signals(stop: threading.Event) -> Iterator[None]:
    """SIGTERM and SIGINT set the event; a thread that is not the main one has no say in it."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def handle(number: int, _: Any) -> None:
        _LOG.info("Stopping after this batch (%s)", signal.Signals(number).name)
        stop.set()

    before = {number: signal.signal(number, handle) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
