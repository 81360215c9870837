"""A small Feast repository: two sources, a function on demand, and everything that can go wrong."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import polars as pl
import pytest
from feast import (
    Entity,
    FeatureService,
    FeatureStore,
    FeatureView,
    Field,
    FileSource,
    PushSource,
    RepoConfig,
    RequestSource,
    ValueType,
)
from feast.on_demand_feature_view import on_demand_feature_view
from feast.types import Array, Bool, Float32, Float64, Int64, String

from headrace.feature_store.offline.guard import STORE
from headrace.feature_store.online import materialize

NOW = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
HOUR = dt.timedelta(hours=1)
SHOPS = [f"shop {number}" for number in range(40)]


def sales(shops=SHOPS, hours=range(0, 100, 7), factor=1.0, unsold=0.0) -> pl.DataFrame:
    """Rows per shop; the last five shops have closed three days ago."""
    rows = []
    for number, shop in enumerate(shops):
        for hour in hours:
            if number >= len(SHOPS) - 5 and hour < 72:
                continue
            price = factor * (number + hour / 10)
            missing = (7 * number + hour) % 100 < 100 * unsold
            rows.append(
                {
                    "shop": shop,
                    "event_timestamp": NOW - hour * HOUR,
                    "price": None if missing else price,
                    "rate": price / 3,
                    "pieces": number * 1000 + hour,
                    "kind": ["small", "medium", "large"][number % 3],
                    "open": number % 2 == 0,
                    "recent": [price, float(hour)],
                }
            )
    return pl.DataFrame(rows, schema_overrides={"rate": pl.Float32})


def towns() -> pl.DataFrame:
    rows = [
        {"shop": shop, "town": f"town {n % 4}", "event_timestamp": NOW - 900 * HOUR, "people": n}
        for n, shop in enumerate(SHOPS)
    ]
    return pl.DataFrame(rows)


def world() -> pl.DataFrame:
    return pl.DataFrame(
        [{"event_timestamp": NOW - hour * HOUR, "oil": hour / 3} for hour in (3, 9)]
    )


def definitions(folder: Path) -> list[object]:
    def source(name):
        path = str(folder / name)
        return FileSource(name=f"{name}_table", path=path, timestamp_field="event_timestamp")

    shop = Entity(name="shop", join_keys=["shop"], value_type=ValueType.STRING)
    town = Entity(name="town", join_keys=["town"], value_type=ValueType.STRING)
    selling = FeatureView(
        name="sales",
        entities=[shop],
        schema=[
            Field(name="price", dtype=Float64),
            Field(name="rate", dtype=Float32),
            Field(name="pieces", dtype=Int64),
            Field(name="kind", dtype=String),
            Field(name="open", dtype=Bool),
            Field(name="recent", dtype=Array(Float64)),
        ],
        source=PushSource(name="sales_stream", batch_source=source("sales")),
        ttl=dt.timedelta(hours=24),
    )
    living = FeatureView(
        name="towns",
        entities=[shop, town],
        schema=[Field(name="people", dtype=Int64)],
        source=source("towns"),
        ttl=dt.timedelta(0),
        tags={"headrace.max_age": "P60D"},
    )
    world = FeatureView(
        name="world",
        entities=[],
        schema=[Field(name="oil", dtype=Float64)],
        source=source("world"),
        ttl=dt.timedelta(hours=24),
    )
    basket = RequestSource(name="basket", schema=[Field(name="amount", dtype=Int64)])

    @on_demand_feature_view(
        sources=[basket, selling[["price"]]],
        mode="python",
        schema=[Field(name="total", dtype=Float64)],
    )
    def bill(inputs):
        pairs = zip(inputs["amount"], inputs["price"], strict=True)
        return {"total": [None if price is None else amount * price for amount, price in pairs]}

    services = [
        FeatureService(name="shops_v1", features=[selling, living]),
        FeatureService(name="shops_v2", features=[selling[["price", "kind"]], living, bill]),
        FeatureService(name="towns_v1", features=[living]),
        FeatureService(name="world_v1", features=[world, selling[["rate"]]]),
        FeatureService(
            name="moves_v1",
            features=[
                selling[["rate"]].with_name("here").with_join_key_map({"shop": "origin"}),
                selling[["rate"]].with_name("there").with_join_key_map({"shop": "dest"}),
            ],
        ),
    ]
    return [shop, town, selling, living, world, bill, *services]


def write(folder: Path, name: str, table: pl.DataFrame, part: str = "part-0") -> None:
    (folder / name).mkdir(exist_ok=True)
    table.write_parquet(folder / name / f"{part}.parquet")


@pytest.fixture(scope="session")
def applied(tmp_path_factory: pytest.TempPathFactory):
    """Makes a store of its own; shared ones must not be written to."""

    def make(table: pl.DataFrame | None = None) -> FeatureStore:
        folder = tmp_path_factory.mktemp("shops")
        write(folder, "sales", sales() if table is None else table)
        write(folder, "towns", towns())
        write(folder, "world", world())
        config = RepoConfig(
            project="shops",
            provider="local",
            registry=str(folder / "registry.db"),
            offline_store={"type": STORE},
            online_store={"type": "sqlite", "path": str(folder / "online.db")},
            entity_key_serialization_version=3,
            repo_path=folder,
        )
        store = FeatureStore(config=config)
        store.apply(definitions(folder))
        return store

    return make


@pytest.fixture(scope="session")
def store(applied) -> FeatureStore:
    """Materialised as of NOW; read only."""
    made = applied()
    materialize(made, None, NOW - 2000 * HOUR, NOW)
    return made
