"""Materialisation: the latest rows of the offline store into the online store, fast.

The offline store is asked through Feast's public interface, and the interval is recorded in the
registry as Feast does. Other than with Feast, views stay servable while they are materialised.
"""

from __future__ import annotations

import datetime as dt
import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

from feast import FeatureStore
from feast.errors import FeastObjectNotFoundException
from feast.feature_view import FeatureView
from feast.utils import _get_column_names

from headrace.components.shared.errors import ConfigError
from headrace.feature_store.online.errors import UnknownFeaturesError
from headrace.feature_store.online.writer import CHUNK_ROWS, WriteResult, write_features

_LOGGER = logging.getLogger(__name__)
#: How far Feast looks back for a view without ttl that was never materialised.
_LONGEST = dt.timedelta(weeks=52)


def materialize(
    store: FeatureStore,
    views: Sequence[str] | None,
    start: dt.datetime,
    end: dt.datetime,
    *,
    chunk_rows: int = CHUNK_ROWS,
) -> dict[str, WriteResult]:
    """Writes the newest row of each key between two moments; times without zone are UTC.

    Args:
        store: Feast's feature store.
        views: Names of feature views; None means all that are online.
        start: From when.
        end: Until when, this moment included.
        chunk_rows: Rows that are encoded and sent at once.

    Returns:
        What was written, by view.

    Raises:
        UnknownFeaturesError: There is no such view.
        ConfigError: A view is computed by Feast's engine, or the times are in the wrong order.
    """
    start, end = _aware(start), _aware(end)
    if start > end:
        raise ConfigError(
            f"Materialisation must start before it ends, but {start} is after {end}.",
            fix="Exchange the two times.",
        )
    return {view.name: _one(store, view, start, end, chunk_rows) for view in _find(store, views)}


def materialize_incremental(
    store: FeatureStore,
    views: Sequence[str] | None,
    end: dt.datetime,
    *,
    now: Callable[[], float] = time.time,
    chunk_rows: int = CHUNK_ROWS,
) -> dict[str, WriteResult]:
    """Goes on where the last materialisation of each view ended.

    The first one starts, as with Feast, at ``now`` minus the view's ttl, or a year ago when it has
    none. For historic data give a ``now`` of that time, or call :func:`materialize` first.

    Raises:
        UnknownFeaturesError: There is no such view.
        ConfigError: A view is computed by Feast's engine.
    """
    end = _aware(end)
    moment = dt.datetime.fromtimestamp(now(), tz=dt.UTC)
    results = {}
    for view in _find(store, views):
        start = view.most_recent_end_time or moment - (view.ttl or _LONGEST)
        results[view.name] = _one(store, view, min(_aware(start), end), end, chunk_rows)
    return results


def _one(
    store: FeatureStore, view: Any, start: dt.datetime, end: dt.datetime, chunk_rows: int
) -> WriteResult:
    result = write_features(store, view, _pull(store, view, start, end), chunk_rows=chunk_rows)
    store.registry.apply_materialization(view, store.project, start, end)
    _LOGGER.info("materialised %s from %s to %s: %s", view.name, start, end, result)
    return result


def _pull(store: FeatureStore, view: Any, start: dt.datetime, end: dt.datetime) -> Any:
    """The newest row of each key, from the offline store, as an Arrow table."""
    names = view.entities or []
    entities = [e for e in store.list_entities() if e.name in names]
    keys, features, timestamp, created = _get_column_names(view, entities)
    provider: Any = store._get_provider()
    job = provider.offline_store.pull_latest_from_table_or_query(
        config=store.config,
        data_source=view.batch_source,
        join_key_columns=keys,
        feature_name_columns=features,
        timestamp_field=timestamp,
        created_timestamp_column=created,
        start_date=start,
        end_date=end,
    )
    return job.to_arrow()


def _find(store: FeatureStore, names: Sequence[str] | None) -> list[Any]:
    try:
        found = store._get_feature_views_to_materialize(None if names is None else list(names))
    except (FeastObjectNotFoundException, ValueError) as error:
        raise UnknownFeaturesError(
            f"These feature views cannot be materialised: {error}",
            fix="Use names that `feast feature-views list` shows, with online=True.",
        ) from error
    usable = []
    for view in found:
        reason = _obstacle(view)
        if reason is None:
            usable.append(view)
        elif names is None:
            _LOGGER.warning("%s is left out: %s; use `feast materialize`.", view.name, reason)
        else:
            raise ConfigError(
                f"Feature view {view.name!r} cannot be materialised here: {reason}.",
                fix="Use `feast materialize` for it.",
            )
    return usable


def _obstacle(view: Any) -> str | None:
    """Why a view needs Feast's own engine, or None."""
    if not isinstance(view, FeatureView):
        return "it is computed on demand"
    if getattr(view, "aggregations", None) or getattr(view, "feature_transformation", None):
        return "Feast's engine computes it"
    return None


def _aware(moment: dt.datetime) -> dt.datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
