"""TFX's ExampleStatistics and Schema artifacts on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from headrace.components.shared import tensorflow_env  # noqa: F401

STATISTICS_FILE = "FeatureStats.pb"
SCHEMA_FILE = "schema.pbtxt"


def write_statistics(statistics: Any, folder: Path) -> None:
    """Writes a ``DatasetFeatureStatisticsList`` the way TFX does."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / STATISTICS_FILE).write_bytes(statistics.SerializeToString(deterministic=True))


def read_statistics(folder: Path) -> Any:
    """Reads the ``DatasetFeatureStatisticsList`` in ``folder``."""
    from tensorflow_metadata.proto.v0 import statistics_pb2

    data = (folder / STATISTICS_FILE).read_bytes()
    return statistics_pb2.DatasetFeatureStatisticsList.FromString(data)


def read_schema(folder: Path) -> Any:
    """Reads the TFMD ``Schema`` in ``folder``."""
    import tensorflow_data_validation as tfdv

    return tfdv.load_schema_text(str(folder / SCHEMA_FILE))
