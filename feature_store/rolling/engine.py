"""Computes rolling views from events. Bulk and stream use the same function, so they agree.

A view has one row per entity and moment at which an event of it became known. The row's statistics
cover the events of the window `(event_timestamp - window, event_timestamp]`.

Events are put in order of entity, then time. A window's events are then neighbours, between two
places that binary search finds, and the window's sum is the difference of the running sums there:
exact, because they are integers, whatever the window's length and however the events were cut into
batches.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from headrace.feature_store.rolling.definition import (
    EVENT_ID,
    EVENT_TIMESTAMP,
    KIND,
    KNOWN_AT,
    RollingView,
    Statistic,
)

_NUMBER = "__number"


def compute(
    view: RollingView, events: pl.DataFrame, moments: pl.DataFrame | None = None
) -> pl.DataFrame:
    """Computes a view's rows.

    Args:
        view: What to compute.
        events: Events in order of `known_at`, then `event_id`: `kind`, the view's keys, integer
            value columns. They must reach back over the view's horizon before each moment.
        moments: Keys and `known_at` for which rows are wanted; by default every event's.

    Returns:
        One row per entity and moment, in order of `event_timestamp`: keys, `event_timestamp`,
        one column per statistic.
    """
    keys = list(view.keys)
    own = events.filter(pl.col(KIND).is_in(view.triggers)).drop_nulls(keys)
    wanted = (own if moments is None else moments).select(*keys, KNOWN_AT)
    entity, theirs = _numbered(own, wanted, keys)
    points = _points(wanted, theirs)
    columns = _last(view, own, entity, points)
    for kind in view.triggers:
        columns |= _windows(view, kind, own, entity, points)
    rows = points.rows.rename({KNOWN_AT: EVENT_TIMESTAMP})
    ordered = pl.DataFrame([columns[name].alias(name) for name in view.features])
    return rows.hstack(ordered[points.place])


def touched(view: RollingView, events: pl.DataFrame, new: pl.DataFrame) -> pl.DataFrame:
    """Finds the rows that new events add or change: their entities' moments from then on.

    An event that comes late changes the later rows of its entity whose windows reach back to it.

    Args:
        view: The view.
        events: All events, new ones included, in order of `known_at`, then `event_id`.
        new: The new events.

    Returns:
        Keys and `known_at`, for :func:`compute`.
    """
    keys = list(view.keys)
    own = pl.col(KIND).is_in(view.triggers)
    first = new.filter(own).drop_nulls(keys).group_by(keys).agg(__first=pl.col(KNOWN_AT).min())
    if first.is_empty():
        return first.select(*keys, pl.col("__first").alias(KNOWN_AT))
    since = events.filter(own, pl.col(KNOWN_AT) >= first["__first"].min())
    late = since.join(first, on=keys, how="inner", maintain_order="left")
    return late.filter(pl.col(KNOWN_AT) >= pl.col("__first")).select(*keys, KNOWN_AT)


def in_order(events: pl.DataFrame) -> pl.DataFrame:
    """Sorts events as :func:`compute` wants them."""
    return events.sort(KNOWN_AT, EVENT_ID)


def recent(events: pl.DataFrame, since: datetime) -> pl.DataFrame:
    """The events known at or after a moment; `events` is in order."""
    start = events[KNOWN_AT].search_sorted(since, side="left")
    return events.slice(start)


class _Points(NamedTuple):
    """Where rows are wanted.

    Attributes:
        rows: Keys and `known_at`, in the order of the result.
        moment: Their moments, in microseconds.
        order: Which row is the n-th in order of entity, then time.
        entity: Numbers of the entities, in that order.
        place: Where in that order each row is.
    """

    rows: pl.DataFrame
    moment: Any
    order: Any
    entity: Any
    place: Any


class _History:
    """Events in order of entity, then time."""

    def __init__(self, own: pl.DataFrame, entity: Any) -> None:
        self.order = np.argsort(entity, kind="stable")
        self._times = _microseconds(own)
        # Entity and position in time as one number, to search for both at once.
        self._base = own.height + 1
        self._place = entity[self.order] * self._base + self.order

    def until(self, points: _Points, lag: timedelta) -> Any:
        """How many events are before each point: of the same entity only those up to `lag` ago."""
        # Each search goes in the order of what it searches: neighbours are in the cache.
        at = points.moment - lag // timedelta(microseconds=1)
        position = np.searchsorted(self._times, at, side="right")[points.order]
        return np.searchsorted(self._place, points.entity * self._base + position)

    def running(self, column: pl.Series) -> Any:
        """Sums of the first 0, 1, 2 … events' values."""
        values = column.cast(pl.Int64).fill_null(0).to_numpy()[self.order]
        return np.concatenate([[0], np.cumsum(values)])


def _numbered(own: pl.DataFrame, wanted: pl.DataFrame, keys: list[str]) -> tuple[Any, Any]:
    """Numbers the entities; the same keys have the same number in both tables."""
    both = pl.concat([own.select(keys), wanted.select(keys)]).with_row_index(_NUMBER)
    number = both.select(pl.col(_NUMBER).cast(pl.Int64).first().over(keys)).to_series().to_numpy()
    return number[: own.height], number[own.height :]


def _microseconds(events: pl.DataFrame) -> Any:
    return events[KNOWN_AT].dt.epoch("us").to_numpy()


def _points(wanted: pl.DataFrame, entity: Any) -> _Points:
    moment = _microseconds(wanted)
    by_entity = np.argsort(entity, kind="stable")
    same = (np.diff(entity[by_entity]) == 0) & (np.diff(moment[by_entity]) == 0)
    first = np.ones(len(entity), dtype=bool)
    first[by_entity[1:]] = ~same
    entity = entity[first]
    order = np.argsort(entity, kind="stable")
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    return _Points(wanted.filter(first), moment[first], order, entity[order], place)


def _last(
    view: RollingView, own: pl.DataFrame, entity: Any, points: _Points
) -> dict[str, pl.Series]:
    wanted = {s.name: s.column for s in view.statistics if s.function == "last" and s.column}
    if not wanted:
        return {}
    history = _History(own, entity)
    before = np.concatenate([[-1], history.order])[history.until(points, timedelta(0))]
    # Before an entity's first event comes the last one of another.
    theirs = np.concatenate([entity, [-1]])[before] == points.entity
    newest = pl.Series(before).set(~pl.Series(theirs), None)
    return {name: own[column].gather(newest) for name, column in wanted.items()}


def _windows(
    view: RollingView, kind: str, own: pl.DataFrame, entity: Any, points: _Points
) -> dict[str, pl.Series]:
    statistics = [s for s in view.statistics if s.kind == kind]
    mine = (own[KIND] == kind).to_numpy()
    events = own.filter(mine)
    history = _History(events, entity[mine])
    ends = {s.window: history.until(points, s.window) for s in statistics if s.window}
    now = history.until(points, timedelta(0))
    sums = {s.column: history.running(events[s.column]) for s in statistics if s.column}
    return {
        s.name: _value(s, sums.get(s.column or ""), ends[s.window], now)
        for s in statistics
        if s.window
    }


def _value(statistic: Statistic, running: Any, before: Any, now: Any) -> pl.Series:
    count = pl.Series(now - before)
    if statistic.function == "count":
        return count
    total = pl.Series(running[now] - running[before])
    if statistic.function == "sum":
        return total
    return (total / count).set(count == 0, None)
