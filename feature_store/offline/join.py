"""Joining the features of views to labels, view by view, in memory that stays bounded."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from headrace.components.shared.errors import DataError
from headrace.feature_store.offline.asof import CREATED, EVENT, TIME, latest, part
from headrace.feature_store.offline.keys import matched
from headrace.feature_store.offline.sources import reading
from headrace.feature_store.offline.times import earlier, in_utc, within
from headrace.feature_store.offline.views import View

_ROW = "__row"
#: Views that are joined at the same time; more would need more memory and hardly less time.
_AT_ONCE = 2


@dataclass(frozen=True)
class Options:
    """How to join.

    Attributes:
        max_rows: How many rows of a source to hold at once.
        known: Whether rows must have been created by the label's time.
        since: Rows before this do not count.
    """

    max_rows: int
    known: bool = False
    since: datetime | None = None


def join(labels: pl.DataFrame, views: Sequence[View], options: Options) -> pl.DataFrame:
    """The features of all views as they were known at each label's time.

    Args:
        labels: TIME in microseconds UTC, and the join keys.
        views: Views with differing names of results.
        options: How.

    Returns:
        One row for each label, in the same order.

    Raises:
        DataError: keys do not fit, or a row got lost.
        SourceError: a source cannot be read.
    """
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        counted = pool.map(_rows, views)
        order = labels[TIME].arg_sort()
        sizes = list(counted)
        # The largest first, so that it does not keep all others waiting at the end.
        joining = {
            number: pool.submit(_features, labels, order, views[number], sizes[number], options)
            for number in sorted(range(len(views)), key=sizes.__getitem__, reverse=True)
        }
        parts = [joining[number].result() for number in range(len(views))]
    for view, joined in zip(views, parts, strict=True):
        if joined.height != labels.height:
            raise DataError(
                f"{view.owner}: {labels.height} label rows went in and {joined.height} came out.",
                fix="This is a fault of Headrace; please report it with the view's definition.",
            )
    return pl.concat(parts, how="horizontal") if parts else labels.select()


def _rows(view: View) -> int:
    """How many rows a view's source has."""
    with reading(view.place):
        return count_rows(view.scan)


def _features(
    labels: pl.DataFrame, order: pl.Series, view: View, rows: int, options: Options
) -> pl.DataFrame:
    """The features of a view; ``order`` has the positions of the labels in order of time."""
    left, right = matched(view, dict(labels.schema))
    asked = labels.select(TIME, *left)
    keys = asked.columns[1:]
    history = view.scan.filter(_needed(labels, view, options)).select(
        in_utc(view.event, view.schema[view.event]).alias(EVENT),
        *([in_utc(view.created, view.schema[view.created]).alias(CREATED)] if view.created else []),
        *right,
        *(pl.col(column).alias(name) for name, column in view.features.items()),
    )
    with reading(view.place):
        passes = count_passes(rows, history, options.max_rows) if keys else 1
        if passes == 1:
            return _latest(asked, order, history, view, keys, options)
        done = []
        for number in range(passes):
            mine = part(keys, number, passes)
            some = asked.with_row_index(_ROW).filter(mine)
            by_time = some[TIME].arg_sort()
            joined = _latest(some, by_time, history.filter(mine), view, keys, options)
            done.append(joined.with_columns(some[_ROW]))
        return pl.concat(done).sort(_ROW).drop(_ROW)


def _latest(
    labels: pl.DataFrame,
    order: pl.Series,
    history: pl.LazyFrame,
    view: View,
    keys: list[str],
    options: Options,
) -> pl.DataFrame:
    """Reads the rows that may count, and gives each label the features of the one that does."""
    joinable = history.drop_nulls(keys) if keys else history
    rows = joinable.collect(engine="streaming")
    at = latest(labels, order, rows, keys=keys, ttl=view.ttl, known=options.known)
    return rows.select(pl.col(list(view.features)).gather(at))


def count_rows(source: pl.LazyFrame) -> int:
    """All rows of a source, from its metadata alone."""
    rows: int = source.select(pl.len()).collect().item()
    return rows


def count_passes(rows: int, wanted: pl.LazyFrame, max_rows: int) -> int:
    """In how many parts to read what is wanted of a source, so that each is small enough."""
    if rows > max_rows:
        rows = wanted.select(pl.len()).collect(engine="streaming").item()
    return max(1, -(-rows // max_rows))


def _needed(labels: pl.DataFrame, view: View, options: Options) -> pl.Expr:
    """Which rows of a source any label can see."""
    first, last = labels[TIME].min(), labels[TIME].max()
    if not (isinstance(first, datetime) and isinstance(last, datetime)):
        return pl.lit(False)
    low = earlier(first, view.ttl) if view.ttl else None
    if options.since is not None:
        low = max(low, options.since) if low else options.since
    return within(view.event, view.schema[view.event], low, last)
