"""Drivers, riders and cities: a small Feast repository, and a gateway on it."""

from __future__ import annotations

import contextlib
import datetime as dt
import threading
import time

import httpx
import polars as pl
import uvicorn
import yaml
from feast import Entity, FeatureService, FeatureView, Field, FileSource, RequestSource
from feast import ValueType as Kind
from feast.on_demand_feature_view import on_demand_feature_view
from feast.types import Float64, Int64, String

from headrace.components.shared.model_store import ModelStore
from headrace.feature_store.local_redis import free_port
from headrace.feature_store.online import materialize
from headrace.feature_store.repo import open_store, registry_hash
from headrace.serving.gateway.app import make_app
from headrace.serving.gateway.config import load
from headrace.serving.gateway.gateway import Gateway

from .model_server import INPUTS

NOW = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
MODEL, SERVICE = "rides", "rides_v1"
#: All features there; driver 2 is stale, 3 has no number of trips, 4 is unknown.
RIDE = {"driver_id": 1, "rider_id": "ann", "city": "Rome", "distance": 10.0}


def _source(folder, name, rows):
    path = folder / f"{name}.parquet"
    pl.DataFrame(rows).write_parquet(path)
    return FileSource(name=f"{name}_source", path=str(path), timestamp_field="event_timestamp")


def _ago(**delta):
    return NOW - dt.timedelta(**delta)


def definitions(folder):
    driver = Entity(name="driver", join_keys=["driver_id"], value_type=Kind.INT64)
    rider = Entity(name="rider", join_keys=["rider_id"], value_type=Kind.STRING)
    city = Entity(name="city", join_keys=["city"], value_type=Kind.STRING)
    minute, hours = _ago(minutes=1), _ago(hours=5)
    drivers = FeatureView(
        name="drivers",
        entities=[driver],
        ttl=dt.timedelta(hours=1),
        schema=[Field(name="rate", dtype=Float64), Field(name="trips", dtype=Int64)],
        source=_source(
            folder,
            "drivers",
            [
                {"driver_id": 1, "event_timestamp": minute, "rate": 0.5, "trips": 3},
                {"driver_id": 2, "event_timestamp": hours, "rate": 0.25, "trips": 7},
                {"driver_id": 3, "event_timestamp": minute, "rate": 0.75, "trips": None},
            ],
        ),
        tags={"sensitivity": "internal"},
    )
    riders = FeatureView(
        name="riders",
        entities=[rider],
        ttl=dt.timedelta(0),
        schema=[Field(name="rating", dtype=Float64), Field(name="phone", dtype=String)],
        source=_source(
            folder,
            "riders",
            [{"rider_id": "ann", "event_timestamp": hours, "rating": 4.0, "phone": "+39 6 1"}],
        ),
        tags={"sensitivity": "personal"},
    )
    cities = FeatureView(
        name="cities",
        entities=[city],
        ttl=dt.timedelta(hours=1),
        schema=[Field(name="load", dtype=Float64)],
        source=_source(
            folder, "cities", [{"city": "Rome", "event_timestamp": minute, "load": 0.125}]
        ),
        tags={"sensitivity": "public"},
    )
    request = RequestSource(name="request", schema=[Field(name="distance", dtype=Float64)])

    @on_demand_feature_view(
        sources=[drivers, request],
        schema=[Field(name="effort", dtype=Float64), Field(name="long_way", dtype=Int64)],
        mode="python",
    )
    def computed(inputs):
        pairs = list(zip(inputs["trips"], inputs["distance"], strict=True))
        if any(distance == 13.0 for _, distance in pairs):
            raise ValueError("unlucky")
        return {
            "effort": [None if trips is None else trips * way for trips, way in pairs],
            "long_way": [int(way > 5) for _, way in pairs],
        }

    service = FeatureService(name=SERVICE, features=[drivers, riders, cities, computed])
    return [driver, rider, city, drivers, riders, cities, computed, service]


def fill(repo):
    materialize(open_store(repo), None, _ago(days=30), NOW)


def push(folder, repo, *, graph=None, required=("city", "long_way"), **manifest):
    """A pushed version; without a graph, for which the tests' model server has no use."""
    if graph is None:
        graph = folder / "graph"
        graph.mkdir(exist_ok=True)
        (graph / "saved_model.pb").write_bytes(b"")
    schema = folder / "schema"
    schema.mkdir(exist_ok=True)
    shape = "shape { dim { size: 1 } }"
    lines = [
        f'feature {{ name: "{name}" type: BYTES {shape if name in required else ""} }}'
        for name in INPUTS
    ]
    (schema / "schema.pbtxt").write_text("\n".join(lines))
    store = open_store(repo)
    asked = {"feature_service": SERVICE, "registry_hash": registry_hash(store)}
    record = {"model": MODEL, "feature_store": asked, **manifest}
    return ModelStore(str(folder / "models"), MODEL).push(graph, {"schema": schema}, record)


class Running:
    """A gateway behind real HTTP, with the model server and the folder that it works on."""

    def __init__(self, folder, repo, server):
        self.folder = folder
        self.repo = repo
        self.server = server
        self.url = ""

    def configure(self, **sections):
        model = {"server": f"127.0.0.1:{self.server.port}", "versions": "models"}
        model |= {"repo": str(self.repo), "poll_seconds": 0.05} | sections.pop("model", {})
        text = yaml.safe_dump({"models": {MODEL: model}, **sections})
        (self.folder / "gateway.yaml").write_text(text)
        return load(self.folder / "gateway.yaml")

    @contextlib.contextmanager
    def serving(self, **sections):
        """Runs a gateway with these sections of its configuration."""
        gateway = Gateway(self.configure(**sections), now=NOW.timestamp)
        port = free_port()
        app = make_app(gateway)
        server = uvicorn.Server(uvicorn.Config(app, port=port, log_config=None, access_log=False))
        thread = threading.Thread(target=server.run)
        thread.start()
        try:
            until(lambda: server.started)
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10) as client:
                yield client
        finally:
            server.should_exit = True
            thread.join()

    def log(self):
        """The prediction log's rows."""
        paths = sorted((self.folder / ".headrace" / "predictions").rglob("*.parquet"))
        return pl.concat([pl.read_parquet(path) for path in paths], how="diagonal")


def predict(client, *rows, **options):
    return client.post(f"/v1/predict/{MODEL}", json={"instances": list(rows)}, **options)


def until(condition, seconds=20.0):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)
