"""A small Feast repository with everything that the online side must handle, on a real server."""

import datetime as dt
import random

import pandas as pd
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
from feast.infra.offline_stores.duckdb import DuckDBOfflineStoreConfig
from feast.infra.online_stores.redis import RedisOnlineStoreConfig
from feast.infra.online_stores.sqlite import SqliteOnlineStoreConfig
from feast.on_demand_feature_view import on_demand_feature_view
from feast.repo_config import RegistryConfig
from feast.types import Array, Bool, Bytes, Float32, Float64, Int32, Int64, String, UnixTimestamp

from headrace.feature_store.local_redis import LocalRedis

NOW = dt.datetime(2013, 7, 1, 12, tzinfo=dt.UTC)
EPOCH = NOW.timestamp()
DRIVERS = 60


def ago(**delta):
    return NOW - dt.timedelta(**delta)


def drivers():
    chance = random.Random(7)
    rows = []
    for driver in range(DRIVERS):
        for age in (chance.uniform(0, 30), chance.uniform(30, 200)):
            rows.append(
                {
                    "driver_id": driver,
                    "event_timestamp": ago(hours=age),
                    "created": ago(hours=age - 0.1),
                    "rate": chance.choice([None, 0.0, -1.5, chance.random()]),
                    "score": chance.choice([None, 0.0, chance.random() * 1e9]),
                    "trips": chance.choice([0, -1, 127, 128, -(1 << 62), (1 << 62)]),
                    "level": chance.choice([0, 5, -7, 1 << 30]),
                    "active": chance.choice([True, False]),
                    "name": chance.choice([None, "", "Ann", "Ünïcode " * 40]),
                    "raw": chance.choice([None, b"", b"\x00\xff", b"x" * 300]),
                    "since": ago(days=chance.randrange(1, 9000)),
                    "recent": [chance.random() for _ in range(chance.randrange(4))],
                    "tags": chance.choice([["a", "b"], ["c"]]),
                    "counts": [chance.randrange(-9, 9) for _ in range(3)],
                }
            )
    schema = {"rate": pl.Float32, "level": pl.Int32, "recent": pl.List(pl.Float64)}
    return pl.DataFrame(rows, schema_overrides=schema)


def routes():
    rows = [
        {"origin": o, "dest": d, "when": ago(hours=h), "miles": float(h), "code": f"{o}{d}"}
        for h, (o, d) in enumerate([("JFK", "LAX"), ("LGA", "SFO"), ("JFK", "SFO"), ("É", "")])
    ]
    return pl.DataFrame(rows)


def airports():
    rows = [
        {"airport": name, "event_timestamp": ago(hours=h), "wind": 1.0 + h, "flights": h}
        for h, name in enumerate(("JFK", "LAX", "LGA", "SFO"))
    ]
    return pl.DataFrame(rows)


def world():
    return pl.DataFrame([{"event_timestamp": ago(minutes=5), "oil_price": 98.5}])


def _source(folder, name, frame, **options):
    path = folder / f"{name}.parquet"
    frame.write_parquet(path)
    options = {"timestamp_field": "event_timestamp"} | options
    return FileSource(name=f"{name}_source", path=str(path), **options)


def definitions(folder):
    driver = Entity(name="driver", join_keys=["driver_id"], value_type=ValueType.INT64)
    origin = Entity(name="origin_entity", join_keys=["origin"], value_type=ValueType.STRING)
    dest = Entity(name="dest_entity", join_keys=["dest"], value_type=ValueType.STRING)
    airport = Entity(name="airport_entity", join_keys=["airport"], value_type=ValueType.STRING)
    day = dt.timedelta(days=1)
    source = _source(folder, "drivers", drivers(), created_timestamp_column="created")
    numbers = FeatureView(
        name="numbers",
        entities=[driver],
        ttl=day,
        source=PushSource(name="drivers_push", batch_source=source),
        schema=[
            Field(name="driver_id", dtype=Int64),
            Field(name="rate", dtype=Float32),
            Field(name="score", dtype=Float64),
            Field(name="trips", dtype=Int64),
            Field(name="level", dtype=Int32),
            Field(name="active", dtype=Bool),
        ],
    )
    things = FeatureView(
        name="things",
        entities=[driver],
        ttl=dt.timedelta(0),
        source=source,
        schema=[
            Field(name="driver_id", dtype=Int64),
            Field(name="name", dtype=String),
            Field(name="raw", dtype=Bytes),
            Field(name="since", dtype=UnixTimestamp),
            Field(name="recent", dtype=Array(Float64)),
            Field(name="tags", dtype=Array(String)),
            Field(name="counts", dtype=Array(Int64)),
        ],
    )
    route = FeatureView(
        name="route",
        entities=[origin, dest],
        ttl=dt.timedelta(hours=2),
        source=_source(
            folder,
            "routes",
            routes(),
            timestamp_field="when",
            field_mapping={"miles": "distance"},
        ),
        schema=[
            Field(name="origin", dtype=String),
            Field(name="dest", dtype=String),
            Field(name="distance", dtype=Float64),
            Field(name="code", dtype=String),
        ],
    )
    weather = FeatureView(
        name="weather",
        entities=[airport],
        ttl=day,
        source=_source(folder, "airports", airports()),
        schema=[
            Field(name="airport", dtype=String),
            Field(name="wind", dtype=Float64),
            Field(name="flights", dtype=Int64),
        ],
    )
    oil = FeatureView(
        name="oil",
        entities=[],
        ttl=day,
        source=_source(folder, "world", world()),
        schema=[Field(name="oil_price", dtype=Float64)],
    )
    request = RequestSource(name="request", schema=[Field(name="factor", dtype=Float64)])

    @on_demand_feature_view(
        sources=[numbers, request],
        schema=[Field(name="scaled", dtype=Float64), Field(name="whole", dtype=Int64)],
        mode="python",
    )
    def in_python(inputs):
        pairs = list(zip(inputs["score"], inputs["factor"], strict=True))
        return {
            "scaled": [None if a is None else a * b for a, b in pairs],
            "whole": [int(b) for _, b in pairs],
        }

    @on_demand_feature_view(
        sources=[numbers, request],
        schema=[Field(name="summed", dtype=Float64)],
        mode="pandas",
    )
    def in_pandas(inputs: pd.DataFrame) -> pd.DataFrame:
        return pd.DataFrame({"summed": inputs["trips"] + inputs["factor"]})

    @on_demand_feature_view(
        sources=[numbers, request],
        schema=[Field(name="one", dtype=Float64)],
        mode="python",
        singleton=True,
    )
    def one_by_one(inputs):
        return {"one": None if inputs["score"] is None else inputs["score"] - inputs["factor"]}

    views = [numbers, things, route, weather, oil]
    services = [
        FeatureService(name="driver", features=[numbers, things]),
        FeatureService(name="everything", features=[things[["name", "tags"]], numbers, route, oil]),
        FeatureService(
            name="both_ends",
            features=[
                weather.with_name("origin_weather").with_join_key_map({"airport": "origin"}),
                weather.with_name("dest_weather").with_join_key_map({"airport": "dest"}),
            ],
        ),
        FeatureService(name="computed", features=[numbers[["score"]], in_python, in_pandas]),
        FeatureService(name="single", features=[one_by_one]),
    ]
    return [driver, origin, dest, airport, *views, in_python, in_pandas, one_by_one, *services]


def make_store(folder, online, objects):
    config = RepoConfig(
        project="proj",
        provider="local",
        registry=RegistryConfig(path=str(folder / "registry.db")),
        offline_store=DuckDBOfflineStoreConfig(),
        online_store=online,
        entity_key_serialization_version=3,
    )
    store = FeatureStore(config=config)
    store.apply(objects)
    return store


def redis_config(redis, db=0, **options):
    return RedisOnlineStoreConfig(connection_string=f"{redis.connection_string},db={db}", **options)


def fill(store):
    """By Feast alone. Its DuckDB store lacks the key that it gives to views without entities."""
    views = ["numbers", "things", "route", "weather"]
    store.materialize(ago(days=400), NOW, feature_views=views)
    store.write_to_online_store("oil", world().with_columns(__dummy_id=pl.lit("")).to_pandas())


@pytest.fixture(scope="session")
def redis_server():
    with LocalRedis(options={"databases": "100"}) as server:
        yield server


@pytest.fixture(scope="session")
def objects(tmp_path_factory):
    return definitions(tmp_path_factory.mktemp("sources"))


@pytest.fixture(scope="session")
def stores(tmp_path_factory, redis_server, objects):
    """Makes a store on an empty database of the server."""
    databases = iter(range(1, 100))

    def make(**options):
        online = redis_config(redis_server, next(databases), **options)
        return make_store(tmp_path_factory.mktemp("repo"), online, objects)

    return make


@pytest.fixture(scope="session")
def store(stores):
    """Filled by Feast itself."""
    made = stores()
    fill(made)
    return made


@pytest.fixture(scope="session")
def empty(stores):
    """For tests that leave nothing that another one would see."""
    return stores()


@pytest.fixture(scope="session")
def sqlite_stores(tmp_path_factory, objects):
    def make():
        folder = tmp_path_factory.mktemp("sqlite")
        return make_store(folder, SqliteOnlineStoreConfig(path=str(folder / "online.db")), objects)

    return make


@pytest.fixture(scope="session")
def sqlite_store(sqlite_stores):
    """Filled by Feast itself."""
    made = sqlite_stores()
    fill(made)
    return made
