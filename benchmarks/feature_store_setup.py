"""A Feast repository on a real Redis, with random numbers: what the online benchmarks read."""

from __future__ import annotations

import contextlib
import datetime as dt
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headrace.feature_store.local_redis import LocalRedis

NOW = dt.datetime(2013, 7, 1, tzinfo=dt.UTC)
SERVICE = "bench"

#: Entities with how many there are; each has one feature view with five features. About as in the
#: flights example: one entity with very many rows, three with few.
ENTITIES = {"flight": 100_000, "plane": 3_500, "airport": 100, "route": 250}

#: Ages of rows spread over a day, so that none is older than the ttl of two days.
_AGES = 86_400


@dataclass(frozen=True)
class Repository:
    """Where the benchmarks read and write.

    Attributes:
        path: The folder with ``feature_store.yaml``.
        redis: The server.
        store: Feast's store on database 0.
        references: All 20 features.
    """

    path: Path
    redis: LocalRedis
    store: Any
    references: list[str]

    def on(self, database: int) -> Any:
        """The same definitions on another database of the server."""
        return _open(self.path, self.redis, database)


def entity_rows(count: int) -> list[dict[str, Any]]:
    """A request's rows: different flights on some planes, routes and the three airports."""
    return [
        {
            "flight_id": 1_000 + 37 * row,
            "plane_id": f"P{row % 40}",
            "airport_id": f"A{row % 3}",
            "route_id": f"R{row % 50}",
        }
        for row in range(count)
    ]


@contextlib.contextmanager
def repository(folder: Path) -> Iterator[Repository]:
    """Makes the repository and its server; nothing is materialised yet."""
    folder.mkdir(parents=True, exist_ok=True)
    with LocalRedis() as redis:
        store = _open(folder, redis, 0)
        views = [_view(folder, name, count) for name, count in ENTITIES.items()]
        store.apply([*itertools.chain(*views), _service([view for _, view in views])])
        references = [f"{view.name}:{f.name}" for _, view in views for f in view.features]
        yield Repository(folder, redis, store, references)


def _open(folder: Path, redis: LocalRedis, database: int) -> Any:
    from feast import FeatureStore

    path = folder / ("feature_store.yaml" if database == 0 else f"database_{database}.yaml")
    path.write_text(
        "project: bench\nprovider: local\nregistry: registry.db\n"
        "entity_key_serialization_version: 3\noffline_store: {type: duckdb}\n"
        "materialization: {online_write_batch_size: 10000}\nonline_store:\n  type: redis\n"
        f'  connection_string: "{redis.connection_string},db={database}"\n',
        encoding="utf-8",
    )
    return FeatureStore(repo_path=str(folder), fs_yaml_file=path)


def _service(views: list[Any]) -> Any:
    from feast import FeatureService

    return FeatureService(name=SERVICE, features=views)


def _view(folder: Path, name: str, count: int) -> tuple[Any, Any]:
    import numpy as np
    import polars as pl
    from feast import Entity, FeatureView, Field, FileSource, ValueType
    from feast.types import Float32, Float64, Int64, String

    chance = np.random.default_rng(count)
    numbered = name == "flight"
    columns = {
        f"{name}_mean": (chance.random(count), Float64),
        f"{name}_rate": (chance.random(count).astype(np.float32), Float32),
        f"{name}_count": (chance.integers(0, 1 << 30, count), Int64),
        f"{name}_code": ([f"c{n % 977}" for n in range(count)], String),
        f"{name}_last": (chance.normal(size=count), Float64),
    }
    keys = range(count) if numbered else [f"{name[0].upper()}{n}" for n in range(count)]
    times = [NOW - dt.timedelta(seconds=n % _AGES) for n in range(count)]
    frame = {f"{name}_id": keys, "event_timestamp": times}
    path = folder / f"{name}.parquet"
    pl.DataFrame({**frame, **{n: values for n, (values, _) in columns.items()}}).write_parquet(path)
    kind, dtype = (ValueType.INT64, Int64) if numbered else (ValueType.STRING, String)
    entity = Entity(name=name, join_keys=[f"{name}_id"], value_type=kind)
    schema = [Field(name=n, dtype=column_type) for n, (_, column_type) in columns.items()]
    view = FeatureView(
        name=f"{name}_stats",
        entities=[entity],
        ttl=dt.timedelta(days=2),
        source=FileSource(path=str(path), timestamp_field="event_timestamp"),
        schema=[Field(name=f"{name}_id", dtype=dtype), *schema],
    )
    return entity, view
