"""What a feature view looked like when it was registered, kept beside the registry.

Feast's own monitoring (``feast monitor run``) does not fit, because it bins every window between
that window's own extremes, so that no two windows can be compared, and it compares none; the rows
come through Feast's offline store interface, so every offline store will do.

A baseline is one JSON file per view and definition. When the definition changes, the old file does
not fit any more and a new baseline must be recorded.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from feast import FeatureStore
from pydantic import BaseModel, ConfigDict, ValidationError

from headrace.components.shared import files
from headrace.components.shared.errors import ConfigError, DataError, StorageError
from headrace.components.shared.text import nearest
from headrace.feature_store.quality.pulls import BEGINNING, TIME, rows_between
from headrace.feature_store.quality.statistics import FeatureStatistics, describe
from headrace.feature_store.rolling.definition import TAG as ROLLING_TAG

FOLDER = "baselines"


class Baseline(BaseModel):
    """Statistics of a feature view's rows.

    Attributes:
        view: The feature view.
        definition: Hash of what it is; see :func:`definition_hash`.
        since: The first moment whose rows count.
        until: The last one.
        rows: How many rows there are.
        newest: The newest row's event timestamp.
        freshness: The age of the newest row at ``until``, in seconds.
        features: Statistics by feature.
    """

    model_config = ConfigDict(frozen=True)

    view: str
    definition: str
    since: dt.datetime
    until: dt.datetime
    rows: int
    newest: dt.datetime
    freshness: float
    features: dict[str, FeatureStatistics]


def record_baseline(
    store: FeatureStore,
    views: Sequence[str] | None = None,
    *,
    until: dt.datetime,
    since: dt.datetime = BEGINNING,
) -> dict[str, Baseline]:
    """Describes the rows of feature views in ``[since, until]``, and keeps that.

    Args:
        store: Feast's feature store.
        views: Names of feature views; None means all.
        until: The last moment whose rows count, mostly now.
        since: The first one.

    Raises:
        ConfigError: there is no such view.
        DataError: a view has no rows in that time.
        StorageError: the place beside the registry cannot be written.
    """
    recorded = {}
    for view in find_views(store, views):
        rows = rows_between(store, view, since, until)
        if rows.is_empty():
            raise DataError(
                f"Feature view {view.name!r} has no row from {since} to {until}, so there is "
                "nothing to be its baseline.",
                fix="Fill its source, or give another time.",
            )
        newest = rows[TIME].max()
        assert isinstance(newest, dt.datetime)
        recorded[view.name] = Baseline(
            view=view.name,
            definition=definition_hash(view),
            since=since,
            until=until,
            rows=rows.height,
            newest=newest,
            freshness=(until - newest).total_seconds(),
            features={name: describe(rows[name]) for name in rows.columns if name != TIME},
        )
        files.write_json(_path(store, view), recorded[view.name].model_dump(mode="json"))
    return recorded


def read_baseline(store: FeatureStore, view: Any) -> Baseline | None:
    """The baseline of a feature view as it is defined now; None when there is none.

    Raises:
        StorageError: its file is damaged.
    """
    path = _path(store, view)
    if not path.is_file():
        return None
    try:
        return Baseline.model_validate(files.read_json(path))
    except (ValueError, ValidationError):
        raise StorageError(
            f"{path} is damaged: it is not a baseline.", fix="Remove it and record a new one."
        ) from None


def find_views(store: FeatureStore, names: Sequence[str] | None) -> list[Any]:
    """Feature views with a source, by name.

    Raises:
        ConfigError: there is none of one of the names.
    """
    known = {view.name: view for view in store.list_feature_views() if view.batch_source}
    for name in names or ():
        if name not in known:
            raise ConfigError(
                f"The feature store {store.project!r} has no feature view {name!r} with a source.",
                fix=nearest(name, known),
            )
    return [known[name] for name in (sorted(known) if names is None else names)]


def definition_hash(view: Any) -> str:
    """A hash of what decides the values of a view: keys, features, source and rolling windows.

    Tags, owners, the ttl and places of tables may change without the values changing.
    """
    defining = [
        sorted((field.name, str(field.dtype)) for field in view.entity_columns),
        sorted((field.name, str(field.dtype)) for field in view.features),
        [view.batch_source.name, view.batch_source.timestamp_field],
        sorted((view.batch_source.field_mapping or {}).items()),
        view.tags.get(ROLLING_TAG, ""),
    ]
    return hashlib.sha256(json.dumps(defining).encode()).hexdigest()[:16]


def folder(store: FeatureStore) -> Path:
    """Where baselines are kept: beside a registry file, else in the repository's folder."""
    repo, registry = Path(store.config.repo_path or "."), store.config.registry
    path = str(registry.path)
    if registry.registry_type == "file" and "://" not in path:
        return (repo / path).parent / FOLDER
    return repo / FOLDER


def _path(store: FeatureStore, view: Any) -> Path:
    return folder(store) / f"{view.name}-{definition_hash(view)}.json"
