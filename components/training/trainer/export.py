"""The SavedModel: preprocessing and model in one graph, with three signatures."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from headrace.components.shared.signatures import (
    EXAMPLES_SIGNATURE,
    MISSING_INT,
    MISSING_TEXT,
    MODEL_SIGNATURE,
    OUTPUT,
    RAW_SIGNATURE,
)


def export(model: Any, graph: Path, target: Path, *, label: str, task: str) -> list[str]:
    """Saves ``model`` behind its transform graph.

    Args:
        model: Keras 3 model whose inputs are transformed features.
        graph: TransformGraph artifact.
        target: Folder for the SavedModel.
        label: Label column, which serving does not ask for.
        task: Task of the label; names the output.

    Returns:
        The raw features that the signatures take.
    """
    import tensorflow as tf
    import tensorflow_transform as tft

    output = tft.TFTransformOutput(str(graph))
    spec = {name: kind for name, kind in output.raw_feature_spec().items() if name != label}

    module = tf.Module()
    # Plain TensorFlow variables: a Keras 3 object in the module would load in Python but not in
    # the C++ loader that TensorFlow Serving uses.
    module.model_variables = [variable.value for variable in model.variables]
    module.transform = output.transform_features_layer()

    def answer(transformed: dict[str, Any]) -> dict[str, Any]:
        given = model({name: transformed[name] for name in model.input}, training=False)
        return {OUTPUT[task]: tf.reshape(tf.cast(given, tf.float32), [-1])}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])  # type: ignore[untyped-decorator]
    def serve_examples(examples: Any) -> dict[str, Any]:
        return answer(module.transform(tf.io.parse_example(examples, spec)))

    tensors = {name: tf.TensorSpec([None], kind.dtype, name=name) for name, kind in spec.items()}

    @tf.function(input_signature=[tensors])  # type: ignore[untyped-decorator]
    def preprocess(features: dict[str, Any]) -> dict[str, Any]:
        raw = {name: _raw(features[name], kind) for name, kind in spec.items()}
        transformed = module.transform(raw)
        return {name: transformed[name] for name in model.input}

    @tf.function(input_signature=[tensors])  # type: ignore[untyped-decorator]
    def serve_tensors(features: dict[str, Any]) -> dict[str, Any]:
        return answer(preprocess(features))

    inner = {name: tf.TensorSpec(x.shape, x.dtype, name=name) for name, x in model.input.items()}

    @tf.function(input_signature=[inner])  # type: ignore[untyped-decorator]
    def serve_transformed(features: dict[str, Any]) -> dict[str, Any]:
        return answer(features)

    module.serve_examples, module.serve_tensors = serve_examples, serve_tensors
    module.serve_transformed = serve_transformed
    # No signature: an export to devices reads from it what the preprocessing does.
    module.preprocess = preprocess
    signatures = {
        EXAMPLES_SIGNATURE: serve_examples,
        RAW_SIGNATURE: serve_tensors,
        MODEL_SIGNATURE: serve_transformed,
    }
    tf.saved_model.save(module, str(target), signatures=signatures)
    return sorted(spec)


def _raw(values: Any, kind: Any) -> Any:
    """One named tensor as the parsed tf.Example would have given it."""
    import tensorflow as tf

    if isinstance(kind, tf.io.FixedLenFeature):
        return tf.reshape(values, [-1, *kind.shape])
    column = tf.reshape(values, [-1, 1])
    if kind.dtype.is_floating:
        present = tf.logical_not(tf.math.is_nan(column))
    else:
        missing = MISSING_TEXT if kind.dtype == tf.string else MISSING_INT
        present = tf.not_equal(column, tf.constant(missing, kind.dtype))
    where = tf.where(present)
    return tf.SparseTensor(where, tf.gather_nd(column, where), tf.shape(column, out_type=tf.int64))


def missing_value(dtype: Any) -> float | int | bytes:
    """What to send for a missing value of an optional feature."""
    import tensorflow as tf

    if dtype == tf.string:
        return MISSING_TEXT.encode()
    return math.nan if dtype.is_floating else MISSING_INT
