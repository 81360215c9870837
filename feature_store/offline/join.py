"""Joining the features of views to labels, view by view, in memory that stays bounded."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import polars as pl
import pyarrow as pa

from headrace.components.shared.errors import DataError
from headrace.feature_store.offline.asof import CREATED, EVENT, TIME, key, latest, part
from headrace.feature_store.offline.entities import Entities, Span
from headrace.feature_store.offline.keys import matched
from headrace.feature_store.offline.sources import reading
from headrace.feature_store.offline.times import earlier, in_utc, tidy, within
from headrace.feature_store.offline.views import View

_ROW = "__row"
#: Views joined at the same time; more would need more memory and hardly less time.
_AT_ONCE = 3


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


def join(entities: Entities, views: Sequence[View], options: Options) -> pa.Table:
    """The features of all views as they were known at each label's time.

    Args:
        entities: The labels.
        views: Views with differing names of results.
        options: How.

    Returns:
        The labels' columns and the features, one row for each label, in the same order.

    Raises:
        DataError: keys do not fit, or a row got lost.
        SourceError: a source cannot be read.
    """
    keys = [key for view in views for key in view.keys]
    schema = entities.schema(keys)
    span = entities.span()
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        # Sources are read meanwhile.
        labels = pool.submit(_in_time, entities, keys)
        sizes = list(pool.map(_rows, views))
        # The largest first, so that it does not keep all others waiting at the end.
        joining = {
            number: pool.submit(_features, labels, schema, span, views[number], size, options)
            for number, size in sorted(enumerate(sizes), key=lambda item: item[1], reverse=True)
        }
        given = pool.submit(entities.rows)
        parts = [joining[number].result() for number in range(len(views))]
        table = given.result()
    for view, joined in zip(views, parts, strict=True):
        if joined.height != table.num_rows:
            raise DataError(
                f"{view.owner}: {table.num_rows} label rows went in and {joined.height} came out.",
                fix="This is a fault of Headrace; please report it with the view's definition.",
            )
        for name, column in zip(joined.columns, tidy(joined.to_arrow()).columns, strict=True):
            table = table.append_column(name, column)
    return table


def _in_time(entities: Entities, keys: Sequence[str]) -> pl.DataFrame:
    """TIME and the keys of all labels and _ROW, their place in the entity frame; by TIME."""
    return entities.labels(keys).with_row_index(_ROW).sort(TIME)


def _rows(view: View) -> int:
    """How many rows a view's source has."""
    with reading(view.place):
        return count_rows(view.scan)


def _features(
    labels: Future[pl.DataFrame],
    schema: dict[str, pl.DataType],
    span: Span,
    view: View,
    rows: int,
    options: Options,
) -> pl.DataFrame:
    """The features of a view, which is read while the labels are made ready."""
    left, right = matched(view, schema)
    keys = [key(number) for number in range(len(left))]
    history = view.scan.filter(_needed(span, view, options)).select(
        in_utc(view.event, view.schema[view.event]).alias(EVENT),
        *([in_utc(view.created, view.schema[view.created]).alias(CREATED)] if view.created else []),
        *right,
        *(pl.col(column).alias(name) for name, column in view.features.items()),
    )
    if keys:
        history = history.drop_nulls(keys)
    found = partial(latest, keys=keys, ttl=view.ttl, known=options.known)
    features = list(view.features)
    with reading(view.place):
        passes = count_passes(rows, history, options.max_rows) if keys else 1
        if passes == 1:
            known = history.collect(engine="streaming")
            asked = labels.result().select(_ROW, TIME, *left)
            at = found(asked, known)
            return known.select(features).gather(at.clone().scatter(asked[_ROW], at))
        asked = labels.result().select(_ROW, TIME, *left)
        done = []
        for number in range(passes):
            mine = part(keys, number, passes)
            some, known = asked.filter(mine), history.filter(mine).collect(engine="streaming")
            joined = known.select(features).gather(found(some, known))
            done.append(joined.with_columns(some[_ROW]))
        return pl.concat(done).sort(_ROW).drop(_ROW)


def count_rows(source: pl.LazyFrame) -> int:
    """All rows of a source, from its metadata alone."""
    rows: int = source.select(pl.len()).collect().item()
    return rows


def count_passes(rows: int, wanted: pl.LazyFrame, max_rows: int) -> int:
    """In how many parts to read what is wanted of a source, so that each is small enough."""
    if rows > max_rows:
        rows = wanted.select(pl.len()).collect(engine="streaming").item()
    return max(1, -(-rows // max_rows))


def _needed(span: Span, view: View, options: Options) -> pl.Expr:
    """Which rows of a source any label can see."""
    first, last = span
    if first is None or last is None:
        return pl.lit(False)
    low = earlier(first, view.ttl) if view.ttl else None
    if options.since is not None:
        low = max(low, options.since) if low else options.since
    return within(view.event, view.schema[view.event], low, last)
