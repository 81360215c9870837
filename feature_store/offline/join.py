"""Joining the features of views to labels, view by view, in memory that stays bounded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import polars as pl

from headrace.components.shared.errors import DataError
from headrace.feature_store.offline.asof import CREATED, EVENT, ROW, TIME, latest
from headrace.feature_store.offline.keys import matched
from headrace.feature_store.offline.sources import reading
from headrace.feature_store.offline.times import earlier, in_utc, within
from headrace.feature_store.offline.views import View


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
    parts = [_features(labels, view, options) for view in views]
    for view, part in zip(views, parts, strict=True):
        if part.height != labels.height:
            raise DataError(
                f"{view.owner}: {labels.height} label rows went in and {part.height} came out.",
                fix="This is a fault of Headrace; please report it with the view's definition.",
            )
    return pl.concat(parts, how="horizontal") if parts else labels.select()


def _features(labels: pl.DataFrame, view: View, options: Options) -> pl.DataFrame:
    left, right = matched(view, dict(labels.schema))
    asked = labels.select(TIME, *left)
    history = view.scan.filter(_needed(labels, view, options)).select(
        in_utc(view.event, view.schema[view.event]).alias(EVENT),
        *([in_utc(view.created, view.schema[view.created]).alias(CREATED)] if view.created else []),
        *right,
        *(pl.col(column).alias(name) for name, column in view.features.items()),
    )
    keys = asked.columns[1:]
    with reading(view.place):
        passes = _passes(view, history, options.max_rows) if keys else 1
        if passes == 1:
            return _lookup(asked, history, view, keys, options)
        done = []
        for number in range(passes):
            mine = pl.struct(keys).hash(seed=0) % passes == number
            some = asked.with_row_index(ROW).filter(mine)
            found = _lookup(some.drop(ROW), history.filter(mine), view, keys, options)
            done.append(found.with_columns(some[ROW]))
        return pl.concat(done).sort(ROW).drop(ROW)


def _lookup(
    labels: pl.DataFrame, history: pl.LazyFrame, view: View, keys: list[str], options: Options
) -> pl.DataFrame:
    joinable = history.drop_nulls(keys) if keys else history
    known = joinable.collect(engine="streaming")
    at = latest(labels, known, keys=keys, ttl=view.ttl, known=options.known)
    return known.select(pl.col(list(view.features)).gather(at))


def _passes(view: View, history: pl.LazyFrame, max_rows: int) -> int:
    """In how many parts to read a source; counting all its rows costs a look at the metadata."""
    rows: int = view.scan.select(pl.len()).collect().item()
    if rows > max_rows:
        rows = history.select(pl.len()).collect(engine="streaming").item()
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
