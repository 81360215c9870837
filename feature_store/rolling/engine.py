"""Computes rolling views from events. Bulk and stream use the same function, so they agree.

A view has one row per entity and moment at which an event of it became known. The row's statistics
cover the events of the window `(event_timestamp - window, event_timestamp]`. Totals are running
sums of integers, so a window's sum is the exact difference of two of them, whatever its length and
however the events were cut into batches.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import polars as pl

from headrace.feature_store.rolling.definition import (
    EVENT_ID,
    EVENT_TIMESTAMP,
    KIND,
    KNOWN_AT,
    RollingView,
    Statistic,
)

_COUNT = "__count"


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
    if moments is None:
        moments = own
    points = moments.select(*keys, KNOWN_AT).unique(maintain_order=True)
    columns = dict.fromkeys(view.features, pl.Series([], dtype=pl.Null))
    columns |= _last(view, own, points)
    for kind in view.triggers:
        columns |= _windows(view, kind, own, points)
    return points.rename({KNOWN_AT: EVENT_TIMESTAMP}).with_columns(
        column.alias(name) for name, column in columns.items()
    )


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


def _as_of(
    points: pl.DataFrame, running: pl.DataFrame, keys: list[str], lag: timedelta
) -> pl.DataFrame:
    moments = points.select(*keys, __at=pl.col(KNOWN_AT) - lag)
    return moments.join_asof(
        running, left_on="__at", right_on=KNOWN_AT, by=keys, check_sortedness=False
    )


def _last(view: RollingView, own: pl.DataFrame, points: pl.DataFrame) -> dict[str, pl.Series]:
    wanted = {s.name: s.column for s in view.statistics if s.function == "last" and s.column}
    if not wanted:
        return {}
    keys = list(view.keys)
    held = own.select(*keys, KNOWN_AT, *(pl.col(c).alias(name) for name, c in wanted.items()))
    newest = _as_of(points, held, keys, timedelta(0))
    return {name: newest[name] for name in wanted}


def _windows(
    view: RollingView, kind: str, own: pl.DataFrame, points: pl.DataFrame
) -> dict[str, pl.Series]:
    statistics = [s for s in view.statistics if s.kind == kind]
    keys = list(view.keys)
    values = sorted({s.column for s in statistics if s.column})
    running = (
        own.filter(pl.col(KIND) == kind)
        .with_columns(pl.lit(1).alias(_COUNT))
        .select(
            KNOWN_AT,
            *keys,
            *(
                pl.col(column).cast(pl.Int64).fill_null(0).cum_sum().over(keys)
                for column in [*values, _COUNT]
            ),
        )
    )
    # The index keeps the order of points through the joins.
    now = _totals(points, running, keys, timedelta(0))
    results: dict[str, pl.Series] = {}
    for window in sorted({s.window for s in statistics if s.window}):
        within = now - _totals(points, running, keys, window)
        results |= {s.name: _value(s, within) for s in statistics if s.window == window}
    return results


def _totals(
    points: pl.DataFrame, running: pl.DataFrame, keys: list[str], lag: timedelta
) -> pl.DataFrame:
    columns = [name for name in running.columns if name not in {KNOWN_AT, *keys}]
    return _as_of(points, running, keys, lag).select(pl.col(columns).fill_null(0))


def _value(statistic: Statistic, totals: pl.DataFrame) -> pl.Series:
    count = totals[_COUNT]
    if statistic.function == "count" or statistic.column is None:
        return count
    total = totals[statistic.column]
    if statistic.function == "sum":
        return total
    return totals.select(pl.when(count > 0).then(total / count)).to_series()
