"""What a pushed version records of its training data: which features must be there."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headrace.components.shared.errors import ConfigError
from headrace.components.shared.model_store import EXTRA, ModelStore


@dataclass(frozen=True)
class TrainingData:
    """The recorded schema and statistics.

    Attributes:
        required: Features without which no training example came; there is no missing value for
            them.
        examples: A typical value of each column, for documentation.
    """

    required: frozenset[str]
    examples: dict[str, Any]


def read_training_data(store: ModelStore, version: int) -> TrainingData:
    """Reads them.

    Raises:
        ConfigError: the version has none, or the library that reads them is not installed.
    """
    try:
        from google.protobuf import text_format
        from tensorflow_metadata.proto.v0 import schema_pb2, statistics_pb2
    except ImportError:
        raise ConfigError(
            "The gateway reads models' schemas with tensorflow-metadata, which is not installed.",
            fix="Install it: pip install tensorflow-metadata",
        ) from None
    with tempfile.TemporaryDirectory(prefix="headrace-gateway-") as scratch:
        folder = Path(scratch)
        try:
            store.fetch(version, folder, EXTRA)
            text = (folder / "schema" / "schema.pbtxt").read_text(encoding="utf-8")
        except OSError:
            raise ConfigError(
                f"{store.path(version)} has no schema of its training data.",
                fix="Push the model with Headrace's pusher.",
            ) from None
        schema = text_format.Parse(text, schema_pb2.Schema())
        found = statistics_pb2.DatasetFeatureStatisticsList()
        statistics = folder / "statistics" / "FeatureStats.pb"
        if statistics.exists():
            found.ParseFromString(statistics.read_bytes())
    required = {feature.name for feature in schema.feature if feature.HasField("shape")}
    examples = {
        feature.path.step[0]: _typical(feature)
        for dataset in found.datasets
        for feature in dataset.features
    }
    return TrainingData(frozenset(required), examples)


def _typical(feature: Any) -> Any:
    if feature.HasField("string_stats"):
        top = feature.string_stats.top_values
        return top[0].value if top else ""
    whole = feature.type == feature.INT
    return int(feature.num_stats.median) if whole else round(feature.num_stats.median, 3)
