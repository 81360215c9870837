"""A Feast repository in a folder, with Feast's own command and our offline store."""

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import polars as pl

CONFIG = """\
project: shop
registry: registry.db
provider: local
online_store: {type: sqlite, path: online.db}
offline_store:
  type: headrace.feature_store.offline.store.AsofOfflineStore
  max_rows_per_pass: 1
entity_key_serialization_version: 3
"""
DEFINITIONS = """\
from datetime import timedelta
from feast import Entity, FeatureService, FeatureView, FileSource, ValueType

customer = Entity(name="customer", join_keys=["customer"], value_type=ValueType.INT64)
orders = FeatureView(
    name="orders",
    entities=[customer],
    ttl=timedelta(days=7),
    source=FileSource(path="data/orders", timestamp_field="at"),
)
service = FeatureService(name="spending", features=[orders])
"""


def test_a_repository_is_applied_joined_and_materialized(tmp_path):
    (tmp_path / "feature_store.yaml").write_text(CONFIG)
    (tmp_path / "definitions.py").write_text(DEFINITIONS)
    folder = tmp_path / "data" / "orders"
    folder.mkdir(parents=True)
    times = [datetime(2026, 1, day, tzinfo=UTC) for day in (1, 2, 3)]
    for number, time in enumerate(times):
        pl.DataFrame(
            {"customer": [7, 8], "at": [time] * 2, "spent": [number, 10.0 * number]}
        ).select("customer", "at", pl.col("spent").cast(pl.Float64)).write_parquet(
            folder / f"{number}.parquet"
        )
    feast = Path(sys.executable).with_name("feast")
    for arguments in (["apply"], ["materialize", "2026-01-01T00:00:00", "2026-01-02T12:00:00"]):
        done = subprocess.run(
            [feast, "-c", tmp_path, *arguments], capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stdout + done.stderr

    from feast import FeatureStore

    store = FeatureStore(tmp_path)
    frame = pd.DataFrame({"customer": [8, 7, 7], "event_timestamp": [times[2], times[1], times[0]]})
    service = store.get_feature_service("spending")
    table = store.get_historical_features(frame, service).to_arrow()
    assert table["spent"].to_pylist() == [20.0, 1.0, 0.0]
    found = store.get_online_features(service, [{"customer": 8}]).to_dict()
    assert found == {"customer": [8], "spent": [10.0]}
