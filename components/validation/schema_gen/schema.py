"""The work of ``schema_gen``: a schema that a person curated, or the one TFX infers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from headrace.components.shared import examples, tfx_adapter
from headrace.components.shared.errors import ConfigError
from headrace.components.shared.statistics import SCHEMA_FILE, read_schema
from headrace.components.shared.text import markdown_table


def run(*, statistics: Path, curated: str, target: Path) -> Any:
    """Writes the schema.

    Args:
        statistics: ExampleStatistics artifact.
        curated: Text-format TFMD schema; empty to infer one from all splits.
        target: Schema artifact to write.

    Returns:
        The ``Schema`` message.

    Raises:
        ConfigError: ``curated`` is not a schema.
    """
    if curated:
        _write_curated(curated, target)
    else:
        tfx_adapter.execute(
            "tfx.components.schema_gen.executor.Executor",
            inputs={
                "statistics": tfx_adapter.Artifact("ExampleStatistics", statistics, examples.SPLITS)
            },
            outputs={"schema": tfx_adapter.Artifact("Schema", target)},
            properties={"infer_feature_shape": 1, "exclude_splits": []},
        )
    return read_schema(target)


def _write_curated(text: str, target: Path) -> None:
    from google.protobuf import text_format
    from tensorflow_metadata.proto.v0 import schema_pb2

    try:
        schema = text_format.Parse(text, schema_pb2.Schema())
    except text_format.ParseError as error:
        raise ConfigError(
            f"curated_schema is not a TFMD schema in text format: {error}",
            fix="Start from the inferred schema.pbtxt of an earlier run.",
        ) from None
    target.mkdir(parents=True, exist_ok=True)
    (target / SCHEMA_FILE).write_text(text_format.MessageToString(schema))


def describe(schema: Any) -> str:
    """The schema as a Markdown table."""
    from tensorflow_metadata.proto.v0 import schema_pb2

    rows = []
    domains = {domain.name: list(domain.value) for domain in schema.string_domain}
    for feature in schema.feature:
        values = domains.get(feature.domain or feature.name, [])
        shown = ", ".join(values[:6]) + (f", … ({len(values)})" if len(values) > 6 else "")
        kind = schema_pb2.FeatureType.Name(feature.type)
        present = feature.presence.min_fraction
        rows.append((feature.name, kind, f"{present:.0%}", shown))
    head = ("feature", "type", "present in", "domain")
    return "# Schema\n\n" + markdown_table(head, rows, numbers=(2,))
