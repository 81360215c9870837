"""A Feast repository of rolling views on a real server, and a consumer in its own process."""

import os
import signal
import subprocess
import sys
import textwrap
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from headrace.feature_store.local_redis import LocalRedis
from headrace.feature_store.rolling.definition import RollingView, Statistic, last, windows

VIEWS = [
    RollingView(
        "shops",
        ("shop",),
        (*windows("shop", "sale", ["amount"], [1, 6]), *windows("back", "refund", ["amount"], [3])),
    ),
    RollingView(
        "tills",
        ("shop", "till"),
        (
            *windows("till", "sale", ["amount"], [2], function="sum"),
            Statistic("till_sales_48h", "count", "sale", window=timedelta(hours=48)),
            *last({"last_amount": "amount"}),
        ),
        kinds=("opened",),
    ),
]
CONSUMER = """
import logging, sys
from feast import FeatureStore
from headrace.feature_store.streaming import ConsumerOptions, RedisStreamSource, consume

logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
url, repo, log = sys.argv[1:]
options = ConsumerOptions(batch=400, flush_seconds=0.7)
print(consume(FeatureStore(repo), RedisStreamSource(url, "events"), log, options))
"""


@pytest.fixture
def views():
    return VIEWS


@pytest.fixture
def server(tmp_path):
    """A server that has on disk what it has answered for."""
    with LocalRedis(tmp_path / "redis", persistent=True, fsync="always") as server:
        yield server


@pytest.fixture
def feast_repo(tmp_path, server):
    """Opens the repository; it is made by the first call."""
    from feast import Entity, FeatureStore, FileSource, PushSource, ValueType

    from headrace.feature_store.rolling.registry import feature_view

    folder = tmp_path / "repo"
    folder.mkdir()
    (folder / "feature_store.yaml").write_text(
        textwrap.dedent(f"""
            project: shops
            provider: local
            registry: registry.db
            offline_store:
              type: headrace.feature_store.offline.store.AsofOfflineStore
            online_store:
              type: redis
              connection_string: {server.connection_string}
            entity_key_serialization_version: 3
        """)
    )
    entities = {
        "shop": Entity(name="shop", join_keys=["shop"], value_type=ValueType.STRING),
        "till": Entity(name="till", join_keys=["till"], value_type=ValueType.INT64),
    }
    definitions = []
    for view in VIEWS:
        (folder / "data" / view.name).mkdir(parents=True)
        source = FileSource(
            name=f"{view.name}_rows",
            path=f"data/{view.name}",
            timestamp_field="event_timestamp",
            created_timestamp_column="created",
        )
        definitions.append(
            feature_view(
                view,
                entities=[entities[key] for key in view.keys],
                source=PushSource(name=f"{view.name}_stream", batch_source=source),
                ttl=timedelta(days=7),
            )
        )
    FeatureStore(folder).apply([*entities.values(), *definitions])
    return folder


@pytest.fixture
def sales():
    """Makes a table of events: some months of shops with many coinciding moments."""

    def make(count):
        start = datetime(2024, 1, 1, tzinfo=UTC)
        number = pl.int_range(count, eager=True)
        kinds = pl.Series(["opened", "sale", "sale", "refund"])
        return pl.DataFrame(
            {
                "event_id": number.cast(pl.String).str.zfill(8),
                "kind": kinds.gather(number * 7 // 3 % 4),
                "known_at": [start + timedelta(minutes=n // 3) for n in range(count)],
                "shop": pl.Series([f"s{n * n % 23}" for n in range(count)]),
                "till": [None if n % 31 == 0 else n % 5 for n in range(count)],
                "amount": [None if n % 13 == 0 else n * 37 % 1009 - 300 for n in range(count)],
            }
        ).with_columns(pl.col("known_at").cast(pl.Datetime("us", "UTC")))

    return make


class ConsumerProcess:
    """A consumer that can be killed."""

    def __init__(self, *arguments):
        self.arguments = [sys.executable, "-c", CONSUMER, *map(str, arguments)]
        self.process = None

    def start(self):
        self.process = subprocess.Popen(
            self.arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def kill(self):
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.communicate()

    def stop(self):
        """Asks it to stop; returns what it printed and logged."""
        self.process.terminate()
        out, errors = self.process.communicate(timeout=30)
        assert self.process.returncode == 0, errors
        return out, errors


@pytest.fixture
def consumer(server, feast_repo, tmp_path):
    consumer = ConsumerProcess(server.url, feast_repo, tmp_path / "log")
    yield consumer
    if consumer.process is not None and consumer.process.poll() is None:
        consumer.kill()


class Outcome:
    """What the stores hold in the end, and what they should."""

    def __init__(self, folder):
        self.folder = folder

    @staticmethod
    def bulk(view, events):
        from headrace.feature_store.rolling.engine import compute, in_order

        return compute(view, in_order(events)).sort("event_timestamp", *view.keys)

    def offline(self, view):
        """Of a key and moment the row that was created last counts."""
        keys = [*view.keys, "event_timestamp"]
        files = sorted((self.folder / "data" / view.name).glob("*.parquet"))
        rows = pl.scan_parquet(files, glob=False).collect().sort("created", maintain_order=True)
        rows = rows.unique(keys, keep="last").sort("event_timestamp", *view.keys)
        return rows.select(*keys, *view.features)

    def online(self, view, keys):
        """Features of the keys, in their order."""
        from feast import FeatureStore

        answer = FeatureStore(self.folder).get_online_features(
            features=[f"{view.name}:{name}" for name in view.features],
            entity_rows=keys.to_dicts(),
        )
        found = answer.to_dict()
        return pl.DataFrame({name: found[name] for name in [*view.keys, *view.features]})


@pytest.fixture
def outcome(feast_repo):
    return Outcome(feast_repo)
