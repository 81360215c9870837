"""A Feast repository in a folder, applied as ``feast apply`` does, with our offline store."""

from datetime import UTC, datetime, timedelta

import pandas as pd
import polars as pl
from feast import FeatureStore
from feast.repo_config import load_repo_config
from feast.repo_operations import apply_total

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


def test_a_repository_is_applied_joined_and_materialized(tmp_path, monkeypatch):
    # Applying changes the working directory and the import path.
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "feature_store.yaml").write_text(CONFIG)
    (tmp_path / "definitions.py").write_text(DEFINITIONS)
    folder = tmp_path / "data" / "orders"
    folder.mkdir(parents=True)
    times = [datetime(2026, 1, day, tzinfo=UTC) for day in (1, 2, 3)]
    for number, time in enumerate(times):
        rows = {"customer": [7, 8], "at": [time] * 2, "spent": [1.0 * number, 10.0 * number]}
        pl.DataFrame(rows).write_parquet(folder / f"{number}.parquet")
    apply_total(load_repo_config(tmp_path, tmp_path / "feature_store.yaml"), tmp_path, False)
    store = FeatureStore(tmp_path)
    store.materialize(times[0], times[1] + timedelta(hours=12))
    frame = pd.DataFrame({"customer": [8, 7, 7], "event_timestamp": [times[2], times[1], times[0]]})
    service = store.get_feature_service("spending")
    table = store.get_historical_features(frame, service).to_arrow()
    assert table["spent"].to_pylist() == [20.0, 1.0, 0.0]
    found = store.get_online_features(service, [{"customer": 8}]).to_dict()
    assert found == {"customer": [8], "spent": [10.0]}
