"""Writing computed rows: at once to the online store, now and then to the offline store."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import polars as pl

from headrace.components.shared.errors import ConfigError
from headrace.components.shared.files import writing
from headrace.feature_store.rolling.definition import CREATED, EVENT_TIMESTAMP, RollingView
from headrace.feature_store.streaming.compaction import compact

if TYPE_CHECKING:
    from feast import FeatureStore, FeatureView
    from feast.data_source import DataSource

Rows = dict[str, pl.DataFrame]


class RowWriter(Protocol):
    """Takes rows by view; writing the same rows again must change nothing."""

    def write(self, rows: Rows) -> None:
        """Writes rows; returns when they can be read."""


class OnlineWriter:
    """Writes the newest row of each key to Feast's online store."""

    def __init__(self, store: FeatureStore, views: Iterable[RollingView]) -> None:
        self._store = store
        self._views = {view.name: (store.get_feature_view(view.name), view) for view in views}

    def write(self, rows: Rows) -> None:
        """Writes rows.

        Raises:
            OnlineStoreError: the store cannot be written now.
        """
        from headrace.feature_store.online import write_features

        for name, frame in rows.items():
            view, rolling = self._views[name]
            # Later rows of a key come later, so the last one is the newest.
            newest = frame.unique(list(rolling.keys), keep="last", maintain_order=True)
            write_features(self._store, view, source_columns(view, newest).to_arrow())


class OfflineWriter:
    """Adds rows to the batch source of each view through Feast's offline store."""

    def __init__(self, store: FeatureStore, views: Iterable[RollingView]) -> None:
        """Looks the views up, and gives a folder that is still empty its columns.

        Args:
            store: Feast's feature store.
            views: The views.
        """
        self._store = store
        self._views = {view.name: store.get_feature_view(view.name) for view in views}
        self._folders = {
            name: folder for name, view in self._views.items() if (folder := _folder(store, view))
        }
        for view in views:
            folder = self._folders.get(view.name)
            if folder is not None and not any(folder.rglob("*.parquet")):
                _start(folder, source_columns(self._views[view.name], self.empty(view)))

    def empty(self, view: RollingView) -> pl.DataFrame:
        """No rows, with the view's columns."""
        types = {field.name: str(field.dtype) for field in self._views[view.name].schema}
        moment = pl.Datetime("us", "UTC")
        columns: dict[str, Any] = {key: _POLARS[types[key]] for key in view.keys}
        columns[EVENT_TIMESTAMP] = moment
        columns |= {name: _POLARS[types[name]] for name in view.features}
        return pl.DataFrame(schema={**columns, CREATED: moment})

    def write(self, rows: Rows) -> None:
        """Adds one file to each view's folder; when this returns, the disk has it."""
        for name, frame in rows.items():
            view = self._views[name]
            before = self._files(name)
            table = source_columns(view, frame).select(self._columns(view)).to_arrow()
            self._store.provider.ingest_df_to_offline_store(view, table)
            for path in self._files(name) - before:
                _sync(path)

    def compact(self) -> None:
        """Merges files of folders that have many."""
        for folder in self._folders.values():
            compact(folder)

    def _columns(self, view: FeatureView) -> list[str]:
        columns = self._store.provider.get_table_column_names_and_types_from_data_source(
            self._store.config, _batch_source(view)
        )
        return [name for name, _ in columns]

    def _files(self, name: str) -> set[Path]:
        folder = self._folders.get(name)
        return set(folder.glob("*.parquet")) if folder else set()


_POLARS = {"String": pl.String, "Int32": pl.Int64, "Int64": pl.Int64, "Float64": pl.Float64}


def source_columns(view: FeatureView, rows: pl.DataFrame) -> pl.DataFrame:
    """Rows under the column names of the view's batch source."""
    source = _batch_source(view)
    names = {EVENT_TIMESTAMP: source.timestamp_field}
    if not source.created_timestamp_column:
        return rows.drop(CREATED).rename(names)
    return rows.rename({**names, CREATED: source.created_timestamp_column})


def _batch_source(view: FeatureView) -> DataSource:
    if view.batch_source is None:
        raise ConfigError(
            f"Feature view {view.name!r} has no batch source, so its rows have no place offline.",
            fix="Give it a FileSource, or a PushSource with a `batch_source`.",
        )
    return view.batch_source


def _folder(store: FeatureStore, view: FeatureView) -> Path | None:
    """The folder on this machine that a view's rows are in, if it is one of plain files."""
    from feast.infra.offline_stores.file_source import FileSource

    from headrace.feature_store.offline.sources import locate

    if not isinstance(view.batch_source, FileSource):
        return None
    place = locate(view.batch_source, store.config.repo_path, f"Feature view {view.name!r}")
    if place.delta or place.remote or place.pattern or place.path.endswith(".parquet"):
        return None
    return place.root


def _start(folder: Path, rows: pl.DataFrame) -> None:
    """Adds a file without rows: an offline store learns a folder's columns from its files."""
    import pyarrow.parquet as pq

    from headrace.feature_store.offline.times import tidy

    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        temporary = folder / ".columns.parquet.tmp"
        pq.write_table(tidy(rows.to_arrow()), temporary)
        temporary.replace(folder / "columns.parquet")


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
