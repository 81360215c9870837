"""Feast's offline store interface, answered with ASOF joins on files."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset
from feast import FeatureView, OnDemandFeatureView, RepoConfig
from feast.data_format import DeltaFormat, ParquetFormat
from feast.data_source import DataSource
from feast.feature_logging import LoggingConfig, LoggingSource
from feast.infra.offline_stores.duckdb import DuckDBOfflineStore, DuckDBOfflineStoreConfig
from feast.infra.offline_stores.file_source import FileLoggingDestination, FileSource
from feast.infra.registry.base_registry import BaseRegistry
from pydantic import PositiveInt, StrictStr

from headrace.components.shared.errors import ConfigError
from headrace.feature_store.offline.asked import asked_for
from headrace.feature_store.offline.entities import read_entities
from headrace.feature_store.offline.guard import STORE
from headrace.feature_store.offline.job import AsofRetrievalJob
from headrace.feature_store.offline.join import Options
from headrace.feature_store.offline.pulls import Pull
from headrace.feature_store.offline.retrieval import (
    Request,
    result_names,
    span_without_entities,
)
from headrace.feature_store.offline.sources import Place, locate
from headrace.feature_store.offline.times import tidy
from headrace.feature_store.offline.views import open_view, schema_of
from headrace.feature_store.offline.writes import add_rows, append


class AsofOfflineStoreConfig(DuckDBOfflineStoreConfig):
    """The ``offline_store`` part of feature_store.yaml.

    Attributes:
        type: The store's import path.
        max_rows_per_pass: How many rows of a source to hold in memory at once. A larger source is
            read several times, each time for a part of the join keys.
    """

    type: StrictStr = STORE
    max_rows_per_pass: PositiveInt = 2_000_000


class AsofOfflineStore(DuckDBOfflineStore):
    """Point-in-time joins that keep every row of the entity frame, in its order.

    What monitoring computes comes from Feast's DuckDB store, which works on the same files.
    """

    supports_filter_by_created_timestamp = True

    @staticmethod
    def get_historical_features(
        config: RepoConfig,
        feature_views: list[FeatureView],
        feature_refs: list[str],
        entity_df: pd.DataFrame | str | None,
        registry: BaseRegistry,
        project: str,
        full_feature_names: bool = False,
        filter_by_created_timestamp: bool = False,
        start_date: datetime | None = None,
        end_date: datetime | None = None,
    ) -> AsofRetrievalJob:
        """The features of views as they were at each row's time.

        Without entity frame: one row for each key and time at which a view has a row in
        ``[start_date, end_date]``, with what was known then since ``start_date``.

        Raises:
            HeadraceError: the request does not fit the sources; says which view, column and file.
        """
        asked = asked_for(feature_refs)
        on_demand = OnDemandFeatureView.get_requested_odfvs(feature_refs, project, registry)
        entities = None if entity_df is None else read_entities(entity_df)
        request = Request(
            views=[
                open_view(view, feature_refs, config.repo_path, full_feature_names)
                for view in feature_views
            ],
            asked=asked,
            names=result_names(asked, feature_views, on_demand, full_feature_names),
            entities=entities,
            span=(
                entities.span()
                if entities
                else span_without_entities(feature_views, start_date, end_date)
            ),
            options=Options(config.offline_store.max_rows_per_pass, filter_by_created_timestamp),
        )
        request.check()
        return AsofRetrievalJob(
            request.retrieve,
            repo=config.repo_path,
            columns=request.columns,
            on_demand=on_demand,
            full_feature_names=full_feature_names,
            metadata=request.metadata,
        )

    @staticmethod
    def pull_latest_from_table_or_query(
        config: RepoConfig,
        data_source: DataSource,
        join_key_columns: list[str],
        feature_name_columns: list[str],
        timestamp_field: str,
        created_timestamp_column: str | None,
        start_date: datetime | None,
        end_date: datetime | None,
    ) -> AsofRetrievalJob:
        """The latest row of each key within ``[start_date, end_date]``."""
        pull = Pull(
            _place(config, data_source),
            join_key_columns,
            feature_name_columns,
            timestamp_field,
            created_timestamp_column,
            start_date,
            end_date,
            config.offline_store.max_rows_per_pass,
        )
        return AsofRetrievalJob(pull.latest, repo=config.repo_path)

    @staticmethod
    def pull_all_from_table_or_query(
        config: RepoConfig,
        data_source: DataSource,
        join_key_columns: list[str],
        feature_name_columns: list[str],
        timestamp_field: str,
        created_timestamp_column: str | None = None,
        start_date: datetime | None = None,
        end_date: datetime | None = None,
    ) -> AsofRetrievalJob:
        """All rows within ``[start_date, end_date]``, in the source's order."""
        pull = Pull(
            _place(config, data_source),
            join_key_columns,
            feature_name_columns,
            timestamp_field,
            created_timestamp_column,
            start_date,
            end_date,
            config.offline_store.max_rows_per_pass,
        )
        return AsofRetrievalJob(pull.rows, repo=config.repo_path)

    @staticmethod
    def offline_write_batch(
        config: RepoConfig,
        feature_view: FeatureView,
        table: pa.Table,
        progress: Callable[[int], Any] | None,
    ) -> None:
        """Adds rows to a view's source: ``store.push(..., to=PushMode.OFFLINE)``."""
        source = feature_view.batch_source
        place = locate(source, config.repo_path, f"Feature view {feature_view.name!r}")
        append(place, table, dict(source.field_mapping or {}) if source else {})
        if progress:
            progress(table.num_rows)

    @staticmethod
    def write_logged_features(
        config: RepoConfig,
        data: pa.Table | Path,
        source: LoggingSource,
        logging_config: LoggingConfig,
        registry: BaseRegistry,
    ) -> None:
        """Adds logs of served features to the folder that a feature service names.

        Raises:
            ConfigError: the destination is not a folder of files.
        """
        destination = logging_config.destination
        if not isinstance(destination, FileLoggingDestination):
            raise ConfigError(
                f"Served features are to be logged to a {type(destination).__name__}, which this "
                "offline store cannot write.",
                fix="Use `FileLoggingDestination(path=...)` in the feature service.",
            )
        table = pyarrow.dataset.dataset(data).to_table() if isinstance(data, Path) else data
        folder = locate(destination.to_data_source(), config.repo_path, "The log of features")
        add_rows(folder, table, destination.partition_by or ())

    def get_table_column_names_and_types_from_data_source(
        self, config: RepoConfig, data_source: DataSource
    ) -> Iterable[tuple[str, str]]:
        """Columns and Arrow types; Feast's own way knows neither globs nor relative Delta paths."""
        place = _place(config, data_source)
        schema = tidy(pl.DataFrame(schema=schema_of(place.scan(), place)).to_arrow()).schema
        return [(field.name, str(field.type)) for field in schema]

    @staticmethod
    def compute_monitoring_metrics(
        config: RepoConfig,
        data_source: DataSource,
        feature_columns: list[tuple[str, str]],
        timestamp_field: str,
        start_date: datetime | None = None,
        end_date: datetime | None = None,
        histogram_bins: int = 20,
        top_n: int = 10,
    ) -> list[dict[str, Any]]:
        """Statistics of features, as Feast's DuckDB store computes them."""
        return DuckDBOfflineStore.compute_monitoring_metrics(
            config,
            _for_duckdb(config, data_source),
            feature_columns,
            timestamp_field,
            start_date,
            end_date,
            histogram_bins,
            top_n,
        )

    @staticmethod
    def get_monitoring_max_timestamp(
        config: RepoConfig, data_source: DataSource, timestamp_field: str
    ) -> datetime | None:
        """The latest time in a source, as Feast's DuckDB store finds it."""
        source = _for_duckdb(config, data_source)
        return DuckDBOfflineStore.get_monitoring_max_timestamp(config, source, timestamp_field)


def _place(config: RepoConfig, source: DataSource) -> Place:
    return locate(source, config.repo_path, f"Data source {source.name!r}")


def _for_duckdb(config: RepoConfig, source: DataSource) -> FileSource:
    """The source as DuckDB wants it: with its format named, and a glob instead of a folder."""
    place = _place(config, source)
    is_folder = not place.delta and Path(place.path).is_dir()
    return FileSource(
        name=source.name,
        path=f"{place.path}/**/*.parquet" if is_folder else place.path,
        file_format=DeltaFormat() if place.delta else ParquetFormat(),
        timestamp_field=source.timestamp_field,
    )
