"""Rows of a feature view's source, under the names that the view uses, from any offline store."""

from __future__ import annotations

import datetime as dt
from typing import Any

import polars as pl
from feast import FeatureStore
from feast.feature_view import DUMMY_ENTITY_ID

from headrace.feature_store.offline.times import in_utc
from headrace.feature_store.online.rows import Layout

#: The column with each row's event timestamp, in UTC.
TIME = "__event_timestamp"
BEGINNING = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def latest_keys(
    store: FeatureStore, view: Any, since: dt.datetime, until: dt.datetime
) -> pl.DataFrame:
    """The join keys that have a row in ``[since, until]``, each with the TIME of its newest."""
    layout = Layout.of(view)
    # One feature must be asked for: without any, stores read all columns.
    names = list(layout.features)[:1]
    rows = _pulled(store, view, "pull_latest_from_table_or_query", names, since, until)
    keys = _keys(layout)
    return rows.select(TIME, *keys).sort(TIME, *keys)


def rows_between(
    store: FeatureStore, view: Any, since: dt.datetime, until: dt.datetime
) -> pl.DataFrame:
    """All rows with an event timestamp in ``[since, until]``: TIME and the features."""
    names = list(Layout.of(view).features)
    rows = _pulled(store, view, "pull_all_from_table_or_query", names, since, until)
    return rows.select(TIME, *names)


def _keys(layout: Layout) -> list[str]:
    return [name for name in layout.keys if name != DUMMY_ENTITY_ID]


def _pulled(
    store: FeatureStore,
    view: Any,
    method: str,
    features: list[str],
    since: dt.datetime,
    until: dt.datetime,
) -> pl.DataFrame:
    layout, source = Layout.of(view), view.batch_source
    mapping: dict[str, str] = dict(source.field_mapping or {})
    column = {name: column for column, name in mapping.items()}
    provider: Any = store._get_provider()
    job = getattr(provider.offline_store, method)(
        config=store.config,
        data_source=source,
        join_key_columns=[column.get(name, name) for name in _keys(layout)],
        feature_name_columns=[column.get(name, name) for name in features],
        timestamp_field=column.get(layout.time, layout.time),
        created_timestamp_column=layout.created and column.get(layout.created, layout.created),
        start_date=since,
        end_date=until,
    )
    rows = pl.from_arrow(job.to_arrow())
    assert isinstance(rows, pl.DataFrame)
    rows = rows.rename(mapping, strict=False)
    return rows.with_columns(in_utc(layout.time, rows.schema[layout.time]).alias(TIME))
