"""The skew guard: do training and serving get the same features?

The point-in-time join says what a model would have been trained on. The online reader, or a log of
what it served, says what a model gets. For one entity and one moment the two must be the same.

The online store holds the latest row of an entity only. So a live comparison asks both sides for
one moment, at which the online store is current: now, or the moment until which recorded data were
materialised.
"""

from __future__ import annotations

import datetime as dt
import functools
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl
import pyarrow as pa
from feast import FeatureStore
from feast.feature_logging import LOG_TIMESTAMP_FIELD
from feast.feature_view import DUMMY_ENTITY_ID

from headrace.components.shared.errors import ConfigError, DataError
from headrace.components.shared.text import nearest
from headrace.feature_store.offline.times import in_utc, is_time
from headrace.feature_store.online.plan import ReadPlan, make_plan, resolve
from headrace.feature_store.online.reader import OnlineReader
from headrace.feature_store.online.result import Status
from headrace.feature_store.quality.comparison import Comparison, Online, compare_feature
from headrace.feature_store.quality.sampling import sample
from headrace.feature_store.repo import feature_service

EVENT_TIMESTAMP = "event_timestamp"
#: The gateway's log says what became of a request: others than this one served no features.
OUTCOME, ANSWERED = "__outcome", "answered"
_ROW = "__row"
#: Seconds between two looks at sources that lag behind.
_PAUSE = 1.0


def compare(
    store: FeatureStore,
    service: str,
    samples: int | pl.DataFrame,
    now: dt.datetime,
    *,
    tolerance: float = 0.0,
    patience: float = 0.0,
) -> Comparison:
    """Compares the point-in-time join as of ``now`` with what the online reader gives then.

    A stream brings events online first. So where values differ, the sources may be asked again
    until they have the rows up to ``now`` too.

    Args:
        store: Feast's feature store.
        service: The feature service.
        samples: How many rows to draw, or the rows: join keys and request fields.
        now: The moment; the online store must hold what was the latest then.
        tolerance: How much floating-point numbers may differ, as a share of the larger one.
        patience: For how many seconds sources may lag behind the online store.

    Raises:
        ConfigError: there is no such service, or nothing to compare.
        DataError: the rows lack a column.
        HeadraceError: one side cannot be read.
    """
    feature_service(store, service)
    now = now if now.tzinfo else now.replace(tzinfo=dt.UTC)
    rows = sample(store, service, samples, now) if isinstance(samples, int) else samples
    _check_rows(rows.height)
    reader = OnlineReader(store, service, now=now.timestamp, full_feature_names=True)
    try:
        entities = rows.select(_asked(reader.plan, rows.columns, service))
        answer = reader.read(entities.to_dict(as_series=False))
    finally:
        reader.close()
    columns = {
        column.name: Online(
            column.values,
            [Status(status).name for status in column.statuses],
            [_moment(seconds) for seconds in column.event_timestamps],
        )
        for column in answer.columns
        if column.name not in entities.columns
    }
    compared = functools.partial(
        _compared,
        store,
        service,
        _Requests(entities, [now] * entities.height, reader.plan),
        columns,
        tolerance,
    )
    deadline = time.monotonic() + patience
    result = compared()
    while not result.agrees and time.monotonic() < deadline:
        time.sleep(min(_PAUSE, patience))
        result = compared()
    return result


def compare_logs(
    store: FeatureStore, service: str, log: pa.Table, *, tolerance: float = 0.0
) -> Comparison:
    """Compares served features with the point-in-time join as of each request's moment.

    Args:
        store: Feast's feature store.
        service: The feature service that was served.
        log: One row per request: join keys, request fields, ``event_timestamp`` (or Feast's
            ``__log_timestamp``) with the request's moment, and served features by name, either
            ``feature`` or ``view__feature``. Beside a feature, ``<its column>__timestamp`` may hold
            its event timestamp and ``<its column>__status`` its status, as in Feast's own logs.
        tolerance: How much floating-point numbers may differ, as a share of the larger one.

    Raises:
        ConfigError: there is no such service, or nothing to compare.
        DataError: the log lacks a column.
    """
    definition = feature_service(store, service)
    rows = pl.from_arrow(log)
    assert isinstance(rows, pl.DataFrame)
    if OUTCOME in rows.columns:
        rows = rows.filter(pl.col(OUTCOME) == ANSWERED)
    _check_rows(rows.height)
    plan = make_plan(store, resolve(store, service), full_feature_names=True)
    entities = rows.select(_asked(plan, rows.columns, service))
    columns = {
        full: _served(rows, column) for full, column in _logged(rows, definition, service).items()
    }
    requests = _Requests(entities, _moments(rows), plan)
    return _compared(store, service, requests, columns, tolerance)


@dataclass(frozen=True)
class _Requests:
    """What was asked: join keys and request fields, when, and what they are for."""

    entities: pl.DataFrame
    moments: Sequence[dt.datetime]
    plan: ReadPlan

    @functools.cached_property
    def columns(self) -> dict[str, list[Any]]:
        """The entities' values by column."""
        return self.entities.to_dict(as_series=False)

    def entity(self, feature: str, row: int) -> dict[str, Any]:
        """By what a row asks for a feature; a computed one may need all that is given."""
        groups = [group for group in self.plan.groups for _ in group.views]
        asked = {name: groups[number].asked for name, number, _ in self.plan.outputs}
        keys = [key for key in asked.get(feature, self.columns) if key in self.columns]
        return {key: self.columns[key][row] for key in keys}


def _compared(
    store: FeatureStore,
    service: str,
    requests: _Requests,
    columns: dict[str, Online],
    tolerance: float,
) -> Comparison:
    entities, moments = requests.entities, requests.moments
    offline = _joined(store, service, entities, moments)
    features = [
        compare_feature(
            name,
            functools.partial(requests.entity, name),
            moments,
            offline[name].to_pylist(),
            online,
            tolerance,
        )
        for name, online in columns.items()
    ]
    features.sort(key=lambda feature: -feature.differing)
    return Comparison(service, entities.height, min(moments), max(moments), features, tolerance)


def _joined(
    store: FeatureStore, service: str, entities: pl.DataFrame, moments: Sequence[dt.datetime]
) -> pa.Table:
    """The point-in-time join, in the order of the entities whatever the store does."""
    frame = entities.with_columns(
        pl.Series(EVENT_TIMESTAMP, moments, pl.Datetime("us", "UTC")),
        pl.int_range(pl.len(), dtype=pl.Int64).alias(_ROW),
    )
    # Whole numbers stay whole where others are null.
    asking = frame.to_arrow().to_pandas(integer_object_nulls=True)
    job = store.get_historical_features(
        asking, store.get_feature_service(service), full_feature_names=True
    )
    table = job.to_arrow().sort_by(_ROW)
    if table.num_rows != entities.height:
        raise DataError(
            f"{entities.height:,} rows went into the point-in-time join with {service!r} and "
            f"{table.num_rows:,} came out.",
            fix="Set offline_store.type in feature_store.yaml to Headrace's AsofOfflineStore.",
        )
    return table


def _logged(rows: pl.DataFrame, definition: Any, service: str) -> dict[str, str]:
    """The log's column of each feature that it has, by the feature's full name."""
    names = [
        (projection.name_to_use(), feature.name)
        for projection in definition.feature_view_projections
        for feature in projection.features
    ]
    found = {}
    for view, feature in names:
        full = f"{view}__{feature}"
        column = next((name for name in (full, feature) if name in rows.columns), None)
        if column is not None:
            found[full] = column
    if not found:
        raise DataError(
            f"The log has no feature of {service!r}; its columns are {', '.join(rows.columns)}.",
            fix="Name the service that was served, and keep its features' names.",
        )
    return found


def _served(rows: pl.DataFrame, column: str) -> Online:
    times: list[dt.datetime | None] = [None] * rows.height
    statuses = [""] * rows.height
    name = f"{column}__timestamp"
    if name in rows.columns:
        times = rows.select(in_utc(name, rows.schema[name])).to_series().to_list()
    if f"{column}__status" in rows.columns:
        statuses = [_status(value) for value in rows[f"{column}__status"]]
    return Online(rows[column].to_list(), statuses, times)


def _status(value: Any) -> str:
    known = {int(status): status.name for status in Status}
    return known.get(value, str(value or ""))


def _asked(plan: ReadPlan, columns: Sequence[str], service: str) -> list[str]:
    """The join keys and request fields that a row must have."""
    keys = {name for group in plan.groups for name in group.asked} - {DUMMY_ENTITY_ID}
    names = sorted(keys | plan.request_data)
    missing = next((name for name in names if name not in columns), None)
    if missing is not None:
        raise DataError(
            f"The rows lack {missing!r}, by which {service!r} is asked for its features.",
            fix=nearest(missing, columns),
        )
    return names


def _moments(rows: pl.DataFrame) -> list[dt.datetime]:
    name = next((n for n in (EVENT_TIMESTAMP, LOG_TIMESTAMP_FIELD) if n in rows.columns), None)
    if name is None or not is_time(rows.schema[name]) or rows[name].null_count():
        raise DataError(
            f"The log needs a column {EVENT_TIMESTAMP!r} with the time of each request; its "
            f"columns are {', '.join(rows.columns)}.",
            fix="Log the moment for which features were asked, as a timestamp in UTC.",
        )
    return rows.select(in_utc(name, rows.schema[name])).to_series().to_list()


def _check_rows(count: int) -> None:
    if not count:
        raise ConfigError(
            "There is no row to compare.", fix="Ask for at least one sample, or give a log."
        )


def _moment(seconds: float) -> dt.datetime | None:
    return dt.datetime.fromtimestamp(seconds, tz=dt.UTC) if seconds else None
