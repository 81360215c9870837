"""The preprocessing inside a SavedModel as one flat, frozen graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from headrace.components.shared.errors import StepError


@dataclass(frozen=True)
class FrozenGraph:
    """The graph from raw to transformed features; functions are inlined, variables constants.

    Attributes:
        operations: ``tf.Operation``s, sources before their consumers.
        features: Raw feature to the ``tf.Tensor`` of its placeholder, of shape ``[rows]``.
        outputs: Transformed feature to its ``tf.Tensor``.
        constants: Name to value of each tensor that depends on no input.
        tables: Tensor name of each look-up table's placeholder to the live table's handle.
    """

    operations: list[Any]
    features: Mapping[str, Any]
    outputs: Mapping[str, Any]
    constants: Mapping[str, np.ndarray]
    tables: Mapping[str, Any]


def read(saved_model: Path | Any) -> FrozenGraph:
    """Freezes the preprocessing of a model that ``trainer`` exported.

    Args:
        saved_model: Folder of the SavedModel, or what TensorFlow loaded of it.

    Raises:
        StepError: the model carries no preprocessing of its own.
    """
    import tensorflow as tf
    from tensorflow.python.framework import convert_to_constants

    is_folder = isinstance(saved_model, Path)
    loaded = tf.saved_model.load(str(saved_model)) if is_folder else saved_model
    if not hasattr(loaded, "preprocess"):
        raise StepError(
            f"{saved_model if is_folder else 'The model'} has no function `preprocess`.",
            fix="Train again: it was exported by an earlier Headrace, or by something else.",
        )
    (function,) = loaded.preprocess.concrete_functions
    frozen = convert_to_constants.convert_variables_to_constants_v2(
        function, lower_control_flow=False, aggressive_inlining=True
    )
    left = {tensor.name for tensor in frozen.inputs}
    tables = {inner.name: outer for outer, inner in function.graph.captures if inner.name in left}
    # TensorFlow flattens dictionaries in the order of their sorted keys.
    raw = sorted(function.structured_input_signature[0][0])
    return FrozenGraph(
        operations=frozen.graph.get_operations(),
        features=dict(zip(raw, frozen.inputs[: len(raw)], strict=True)),
        outputs=dict(zip(sorted(function.structured_outputs), frozen.outputs, strict=True)),
        constants=_constants(frozen.graph, tables),
        tables=tables,
    )


def _constants(graph: Any, tables: Mapping[str, Any]) -> dict[str, np.ndarray]:
    """TensorFlow's own values of the tensors that depend on no input."""
    import tensorflow as tf

    operations = graph.get_operations()
    sizes = {
        operation.outputs[0].name: tf.raw_ops.LookupTableSizeV2(table_handle=table).numpy()
        for operation in operations
        if operation.type == "LookupTableSizeV2"
        and (table := tables.get(source(operation.inputs[0]))) is not None
    }
    fixed = dict.fromkeys(sizes)
    for operation in operations:
        varies = operation.type == "Placeholder" or operation.op_def.is_stateful
        if not varies and all(tensor.name in fixed for tensor in operation.inputs):
            fixed |= dict.fromkeys(tensor.name for tensor in operation.outputs)
    alone = graph.as_graph_def()
    for node in alone.node:  # Inlining left constants waiting for the inputs.
        node.input[:] = [name for name in node.input if not name.startswith("^")]
    with tf.Graph().as_default() as separate, tf.compat.v1.Session(graph=separate) as session:
        tf.import_graph_def(alone, name="")
        values = session.run(list(fixed), feed_dict=sizes)
    return {name: np.asarray(value) for name, value in zip(fixed, values, strict=True)}


def source(tensor: Any) -> str:
    """The name of the tensor that ``tensor`` is a mere copy of."""
    while tensor.op.type == "Identity":
        tensor = tensor.op.inputs[0]
    return str(tensor.name)
