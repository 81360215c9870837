"""Small feature stores: sources as Parquet, and a registry, in a temporary folder."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import polars as pl
import pytest
from feast import Entity, FeatureStore, FeatureView, Field, FileSource, RepoConfig, ValueType
from feast.types import Float64, Int64, String

from headrace.feature_store.offline.guard import STORE

START = datetime(2026, 1, 1, tzinfo=UTC)
TYPES = {pl.Int64: Int64, pl.Float64: Float64, pl.String: String}
VALUES = {pl.Int64: ValueType.INT64, pl.String: ValueType.STRING}


def at(hour):
    """A time, in hours since the start of 2026."""
    return START + timedelta(hours=hour)


@dataclass
class Project:
    folder: Path

    def write(self, name, columns, schema=None):
        """Writes a source; in `ts` and `made` numbers are hours."""
        frame = pl.DataFrame(columns, schema_overrides=schema)
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        frame.with_columns(
            (pl.lit(START) + pl.duration(hours=pl.col(column))).alias(column)
            for column in ("ts", "made")
            if column in frame.columns and frame.schema[column].is_numeric()
        ).write_parquet(path)
        return path

    def view(self, name, keys=("k",), features=("x",), kinds=None, ttl=None, **source):
        """A feature view of the source `<name>.parquet`; columns are Int64 unless `kinds` says."""
        kinds = {**dict.fromkeys([*keys, *features], pl.Int64), **(kinds or {})}
        source = {"path": f"{name}.parquet", "timestamp_field": "ts", **source}
        return FeatureView(
            name=name,
            entities=[
                Entity(name=f"{key}_entity", join_keys=[key], value_type=VALUES[kinds[key]])
                for key in keys
            ],
            ttl=timedelta(hours=ttl) if ttl else timedelta(0),
            schema=[Field(name=n, dtype=TYPES[kinds[n]]) for n in (*keys, *features)],
            source=source.pop("source", None) or FileSource(**source),
        )

    def store(self, *objects, kind=STORE, **options):
        """A feature store with these views (and services) applied."""
        config = RepoConfig(
            project="small",
            provider="local",
            registry=str(self.folder / f"{kind}.db"),
            online_store={"type": "sqlite", "path": str(self.folder / "online.db")},
            offline_store={"type": kind, **options},
            entity_key_serialization_version=3,
            repo_path=self.folder,
        )
        store = FeatureStore(config=config)
        entities = {
            key.name: Entity(
                name=f"{key.name}_entity",
                join_keys=[key.name],
                value_type=key.dtype.to_value_type(),
            )
            for view in objects
            for key in getattr(view, "entity_columns", ())
            if key.name != "__dummy_id"
        }
        store.apply([*entities.values(), *objects])
        return store

    def ask(self, store, references, columns, **options):
        """Joins features to rows; in `event_timestamp` numbers are hours."""
        times = [at(t) if isinstance(t, int | float) else t for t in columns["event_timestamp"]]
        frame = pd.DataFrame({**columns, "event_timestamp": times})
        return store.get_historical_features(frame, references, **options).to_arrow()


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path)


@pytest.fixture(name="at")
def at_fixture():
    return at
