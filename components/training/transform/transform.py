"""The work of ``transform``: the training split is analysed, then what learns is transformed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from headrace.components.shared import project_code
from headrace.components.shared.config.data import Features
from headrace.components.shared.statistics import read_schema
from headrace.components.training.transform.analysis import analyse
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
        ConfigError: Beam refuses the options.
        StepError: the job failed on the cluster that the options name.
    """
    hidden = Features.parse(features, where="features")
    with project_code.importable(code) as folder:
        visible = _without(read_schema(schema), {*hidden.exclude, *hidden.known_after})
        function = project_code.load_function(folder, FILE, "preprocessing_fn")
        columns = ", ".join(feature.name for feature in visible.feature)
        with project_code.blamed_on(folder, FILE, hint=f"It receives the columns {columns}."):
            analyse(source, _only_used(visible, function), function, graph, beam_args=beam_args)
    return materialize(source, graph, target)


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
