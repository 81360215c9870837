"""The work of ``transform``: TFX analyses the training split, then every split is transformed."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from headrace.components.shared import examples, project_code, tfx_adapter
from headrace.components.shared.config.data import Features
from headrace.components.shared.statistics import SCHEMA_FILE, read_schema
from headrace.components.training.transform.materialize import materialize

FILE = "preprocessing.py"


def run(
    *,
    source: Path,
    schema: Path,
    code: Mapping[str, str],
    features: Mapping[str, Any],
    beam_args: list[str],
    graph: Path,
    target: Path,
) -> dict[str, int]:
    """Builds the transform graph and the transformed examples.

    Args:
        source: Examples artifact.
        schema: Schema artifact.
        code: Project files by name; ``preprocessing.py`` defines ``preprocessing_fn``.
        features: Keys of :class:`Features`; what they hide never reaches ``preprocessing_fn``.
        beam_args: Beam options for the analysis; empty runs it in this process.
        graph: TransformGraph artifact to write.
        target: Examples artifact of transformed features to write.

    Returns:
        Name of each transformed feature to its number of values per row.

    Raises:
        ProjectCodeError: ``preprocessing_fn`` is missing or fails.
    """
    hidden = Features.parse(features, where="features")
    with project_code.importable(code) as folder, tempfile.TemporaryDirectory() as scratch:
        visible = _without(read_schema(schema), {*hidden.exclude, *hidden.known_after})
        function = project_code.load_function(folder, FILE, "preprocessing_fn")
        columns = ", ".join(feature.name for feature in visible.feature)
        with project_code.blamed_on(folder, FILE, hint=f"It receives the columns {columns}."):
            used = _write_schema(_only_used(visible, function), Path(scratch) / "schema")
            _analyse(source, used, graph, beam_args)
    return materialize(source, graph, target)


def _analyse(source: Path, schema: Path, graph: Path, beam_args: list[str]) -> None:
    tfx_adapter.execute(
        "tfx.components.transform.executor.Executor",
        inputs={
            "examples": tfx_adapter.examples(source, examples.SPLITS),
            "schema": tfx_adapter.Artifact("Schema", schema),
        },
        outputs={"transform_graph": tfx_adapter.Artifact("TransformGraph", graph)},
        properties={
            "preprocessing_fn": f"{Path(FILE).stem}.preprocessing_fn",
            "splits_config": {"analyze": ["train"], "transform": []},
            "disable_statistics": 1,
            "force_tf_compat_v1": 0,
        },
        beam_args=tuple(beam_args) or tfx_adapter.EMBEDDED_BEAM,
    )


def _only_used(schema: Any, function: Any) -> Any:
    """The columns that ``preprocessing_fn`` reads; serving then asks for these and no others."""
    import tensorflow_transform as tft
    from tensorflow_transform import impl_helper
    from tensorflow_transform.tf_metadata import schema_utils

    spec = schema_utils.schema_as_feature_spec(schema).feature_spec
    types = impl_helper.get_type_specs_from_feature_specs(spec)
    return _without(schema, set(spec) - set(tft.get_transform_input_columns(function, types)))


def _without(schema: Any, hidden: set[str]) -> Any:
    from tensorflow_metadata.proto.v0 import schema_pb2

    result = schema_pb2.Schema()
    result.CopyFrom(schema)
    del result.feature[:]
    result.feature.extend(feature for feature in schema.feature if feature.name not in hidden)
    return result


def _write_schema(schema: Any, folder: Path) -> Path:
    from google.protobuf import text_format

    folder.mkdir()
    (folder / SCHEMA_FILE).write_text(text_format.MessageToString(schema))
    return folder
