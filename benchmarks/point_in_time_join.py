"""The join that ``benchmarks.point_in_time`` measures, in a process like that of a user of Feast.

``python -m benchmarks.point_in_time_join FOLDER STORE``
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from headrace.feature_store.offline.guard import STORE

#: Views and their keys; the features are what else a source has, except its time.
VIEWS = {
    "weather": ["origin"],
    "carrier": ["carrier"],
    "route": ["origin", "dest"],
    "plane": ["tailnum"],
}
KEYS = ["origin", "carrier", "dest", "tailnum"]
TTL_HOURS = {"weather": 6, "carrier": 24, "route": 24, "plane": 0}
NAMES = {"headrace": STORE, "feast": "duckdb"}


@dataclass(frozen=True)
class Side:
    """What one side needed."""

    seconds: float
    peak_gb: float
    in_order: bool


def main(folder: Path, side: str) -> None:
    """Joins with one of the stores; writes the table, and what it took."""
    import pandas as pd
    from pyarrow import parquet

    store = _store(folder, NAMES[side])
    references = [
        f"{view.name}:{field.name}"
        for view in store.list_feature_views()
        for field in view.features
    ]
    labels = pd.read_parquet(folder / "labels.parquet")
    started = time.perf_counter()
    table = store.get_historical_features(labels, references).to_arrow()
    seconds = time.perf_counter() - started
    peak = _peak_gb()
    rows = table["row"].to_pylist()
    result = Side(seconds, peak, in_order=rows == list(range(len(labels))))
    parquet.write_table(table, folder / f"{side}.parquet")
    (folder / f"{side}.json").write_text(json.dumps(asdict(result)), encoding="utf-8")


def _store(folder: Path, kind: str) -> Any:
    """A feature store over the sources, with the given offline store."""
    from feast import Entity, FeatureStore, FeatureView, FileSource, RepoConfig, ValueType

    config = RepoConfig(
        project="bench",
        provider="local",
        registry=str(folder / f"{kind}.db"),
        online_store={"type": "sqlite", "path": str(folder / "online.db")},
        offline_store={"type": kind},
        entity_key_serialization_version=3,
        # The labels' times are in UTC; without this Feast copies all of them to see that.
        coerce_tz_aware=False,
    )
    store = FeatureStore(config=config)
    entities = {key: Entity(name=key, join_keys=[key], value_type=ValueType.STRING) for key in KEYS}
    views = [
        FeatureView(
            name=name,
            entities=[entities[key] for key in keys],
            ttl=timedelta(hours=TTL_HOURS[name]),
            source=FileSource(path=str(folder / f"{name}.parquet"), timestamp_field="ts"),
        )
        for name, keys in VIEWS.items()
    ]
    store.apply([*entities.values(), *views])
    return store


def _peak_gb() -> float:
    """The most memory this process had, in GB, as Linux counts it."""
    status = Path("/proc/self/status").read_text(encoding="ascii")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1024 / 1e9


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
