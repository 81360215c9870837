"""Publishing recorded events again, in the order in which they became known."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from headrace.components.shared.errors import ConfigError, DataError
from headrace.components.shared.files import read_json, write_json
from headrace.feature_store.rolling.definition import EVENT_ID, KIND, KNOWN_AT
from headrace.feature_store.rolling.engine import in_order
from headrace.feature_store.streaming.events import MOMENT, encode
from headrace.feature_store.streaming.retry import Patience, Stopped
from headrace.feature_store.streaming.source import EventSink

_LOG = logging.getLogger(__name__)
_AT_ONCE = 500
_TICK_SECONDS = 0.01
_NOTE_SECONDS = 1.0


@dataclass(frozen=True)
class ReplaySummary:
    """What was published.

    Attributes:
        events: How many, in this call.
        remaining: How many are left, because it was stopped.
        last: Id of the last one published, None without any.
        retries: How often the stream did not take them at once.
        seconds: How long it took.
    """

    events: int
    remaining: int
    last: str | None
    retries: int
    seconds: float


def replay(
    events: pl.DataFrame,
    sink: EventSink,
    *,
    speed: float | None = None,
    rate: float | None = None,
    progress: Path | str | None = None,
    max_backlog: int | None = None,
    stop: threading.Event | None = None,
) -> ReplaySummary:
    """Publishes events; without speed and rate, as fast as the stream takes them.

    While the stream does not answer it waits and tries again, so an event may be published twice;
    the consumer knows events by their ids.

    Args:
        events: A table with `event_id`, `kind`, `known_at`, and what the views read.
        sink: The stream.
        speed: So many times as fast as the events happened.
        rate: So many events per second.
        progress: A file that remembers the last event published; a later call goes on behind it.
        max_backlog: Wait while so many messages are not consumed yet.
        stop: Ends it early.

    Raises:
        ConfigError: speed and rate are both given or not positive, or the progress is that of
            another table.
        DataError: a column is missing.
    """
    _check(events, speed, rate)
    note = Path(progress) if progress is not None else None
    ordered = _remaining(in_order(events), note)
    patience = Patience(stop or threading.Event())
    began = time.monotonic()
    at, noted = 0, began
    try:
        for end in _due(ordered, speed, rate, patience.stop):
            _await_consumer(sink, max_backlog, patience)
            chunk = encode(ordered.slice(at, end - at))
            patience.call("Publishing", sink.transient, sink.publish, chunk)
            at = end
            if note is not None and time.monotonic() - noted > _NOTE_SECONDS:
                _remember(note, ordered, at)
                noted = time.monotonic()
    except Stopped as what:
        _LOG.info("Stopped while waiting: %s", what)
    _remember(note, ordered, at)
    last = ordered[EVENT_ID][at - 1] if at else None
    seconds = time.monotonic() - began
    return ReplaySummary(at, ordered.height - at, last, patience.waits, seconds)


def _check(events: pl.DataFrame, speed: float | None, rate: float | None) -> None:
    if speed is not None and rate is not None:
        raise ConfigError(
            f"A replay has a speed or a rate; got speed {speed:g} and rate {rate:g}.",
            fix="Leave one of them out.",
        )
    for name, value in (("speed", speed), ("rate", rate)):
        if value is not None and not value > 0:
            raise ConfigError(
                f"The {name} of a replay must be above 0, got {value:g}.",
                fix="Give a positive number, or leave it out to publish as fast as possible.",
            )
    missing = [name for name in (EVENT_ID, KIND, KNOWN_AT) if name not in events.columns]
    if missing:
        raise DataError(
            f"A table of events needs the columns {EVENT_ID}, {KIND} and {KNOWN_AT}; "
            f"it lacks {', '.join(missing)}.",
            fix="Add them; known_at is the first moment anybody could know the event.",
        )
    if events.schema[KNOWN_AT] != MOMENT or events.schema[EVENT_ID] != pl.String:
        raise DataError(
            f"{KNOWN_AT} must be {MOMENT} and {EVENT_ID} String; they are "
            f"{events.schema[KNOWN_AT]} and {events.schema[EVENT_ID]}.",
            fix="Cast the columns.",
        )


def _remaining(events: pl.DataFrame, note: Path | None) -> pl.DataFrame:
    if note is None or not note.exists():
        return events
    last = read_json(note)[EVENT_ID]
    found = events[EVENT_ID].index_of(last)
    if found is None:
        raise ConfigError(
            f"{note} says that event {last!r} was published last, which is not in the table.",
            fix="Use the table that the replay began with, or delete the file to begin again.",
        )
    return events.slice(found + 1)


def _remember(note: Path | None, events: pl.DataFrame, published: int) -> None:
    if note is not None and published:
        write_json(note, {EVENT_ID: events[EVENT_ID][published - 1]})


def _due(
    events: pl.DataFrame, speed: float | None, rate: float | None, stop: threading.Event
) -> Iterator[int]:
    """Up to where to publish next, each time when it is due."""
    if events.is_empty():
        return
    if speed is not None:
        since = (events[KNOWN_AT] - events[KNOWN_AT][0]).dt.total_microseconds()
        due = since / (1e6 * speed)
    else:
        due = pl.int_range(events.height, eager=True) / (rate or float("inf"))
    began = time.monotonic()
    at = 0
    while at < events.height and not stop.is_set():
        ready = due.search_sorted(time.monotonic() - began, side="right")
        if ready <= at:
            wait = due[at] - (time.monotonic() - began)
            stop.wait(max(_TICK_SECONDS, min(wait, 1.0)))
            continue
        at = min(ready, at + _AT_ONCE)
        yield at


def _await_consumer(sink: EventSink, most: int | None, patience: Patience) -> None:
    if most is None:
        return
    while patience.call("Asking for the backlog", sink.transient, sink.backlog) > most:
        if patience.stop.wait(_TICK_SECONDS * 5):
            raise Stopped("the consumer to catch up")
