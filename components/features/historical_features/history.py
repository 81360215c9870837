"""The work of ``historical_features``: labels to rows with the features known at their time."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from headrace.components.shared import files
from headrace.components.shared.config.data import Features, FeatureStore
from headrace.components.shared.config.project import Label
from headrace.components.shared.errors import DataError
from headrace.components.shared.labelled_table import checked

if TYPE_CHECKING:
    import feast

LABELS = "labels.parquet"
EVENT_TIMESTAMP = "event_timestamp"

#: What a model needs to know to ask for its features again. Empty without a feature store.
Asked = dict[str, Any]


def run(
    *,
    built: Path,
    repo_code: Mapping[str, str],
    feature_store: Mapping[str, Any],
    label: Mapping[str, Any],
    features: Mapping[str, Any],
    table: Path,
) -> tuple[pl.DataFrame, Asked]:
    """Joins the labels with a feature service's features, as of each label's event timestamp.

    Args:
        built: Folder from ``feature_builder``.
        repo_code: The Feast repository's files by name.
        feature_store: Keys of :class:`FeatureStore`; without a service the labels are the table.
        label: Keys of :class:`Label`.
        features: Keys of :class:`Features`.
        table: Parquet file to write.

    Returns:
        The labelled table, and what was asked for.

    Raises:
        ConfigError: there is no such feature service, or the repository's settings are wrong.
        DataError: a column is missing or cannot be learnt from, or the join lost rows.
    """
    settings = FeatureStore.parse(feature_store, where="feature_store")
    rows = pl.read_parquet(built / LABELS)
    asked: Asked = {}
    if settings.service:
        rows, asked = _joined(rows, built, repo_code, settings.service)
    rows = checked(
        rows, Label.parse(label, where="label"), Features.parse(features, where="features")
    )
    with files.writing(table):
        table.parent.mkdir(parents=True, exist_ok=True)
        rows.write_parquet(table, compression="zstd", compression_level=1)
    return rows, asked


def _joined(
    labels: pl.DataFrame, built: Path, repo_code: Mapping[str, str], name: str
) -> tuple[pl.DataFrame, Asked]:
    from headrace.feature_store import repo

    with repo.applied(repo_code, built) as store:
        service = repo.feature_service(store, name)
        features = join(labels, store, name)
        asked = {
            "feature_service": name,
            "feature_service_version": _version(name),
            "registry_hash": repo.registry_hash(store),
            "feature_views": sorted(p.name for p in service.feature_view_projections),
            **_request(store, service),
        }
    return labels.hstack(features), asked


def join(rows: pl.DataFrame, store: feast.FeatureStore, name: str) -> pl.DataFrame:
    """The features of each row as they were known at its event timestamp, in the rows' order.

    Args:
        rows: Join keys, request fields and ``event_timestamp``, besides others.
        store: The store; its offline tables are read.
        name: The feature service.

    Returns:
        The columns that ``rows`` does not have.

    Raises:
        ConfigError: there is no such feature service.
        DataError: the join lost rows.
    """
    from headrace.feature_store import repo

    job = store.get_historical_features(rows.to_pandas(), repo.feature_service(store, name))
    joined = pl.from_arrow(job.to_arrow())
    assert isinstance(joined, pl.DataFrame)
    _check_rows(rows, joined, name)
    return joined.drop(rows.columns)


def _check_rows(labels: pl.DataFrame, joined: pl.DataFrame, service: str) -> None:
    keys = [name for name in labels.columns if labels.schema[name] in (pl.String, pl.Int64)]
    if labels.height == joined.height and labels.select(keys).equals(joined.select(keys)):
        return
    raise DataError(
        f"{labels.height:,} labels went into the join with {service!r} and {joined.height:,} rows "
        "came out, or their order changed.",
        fix="Set offline_store.type in feature_store.yaml to Headrace's AsofOfflineStore.",
    )


def _request(store: feast.FeatureStore, service: feast.FeatureService) -> Asked:
    """The join keys and request fields that a caller of the model must bring."""
    keys: set[str] = set()
    fields: dict[str, str] = {}
    on_demand = {view.name: view for view in store.list_on_demand_feature_views()}
    plain = {view.name: view for view in store.list_feature_views()}
    for projection in service.feature_view_projections:
        views = [projection.name]
        if projection.name in on_demand:
            view = on_demand[projection.name]
            views = [source.name for source in view.source_feature_view_projections.values()]
            for source in view.source_request_sources.values():
                fields |= {field.name: str(field.dtype) for field in source.schema}
        keys |= {column.name for name in views for column in plain[name].entity_columns}
    return {"join_keys": sorted(keys), "request_fields": dict(sorted(fields.items()))}


def _version(service: str) -> int | None:
    """The number in a name such as `flight_delay_v1`."""
    found = re.search(r"_v(\d+)$", service)
    return int(found[1]) if found else None
