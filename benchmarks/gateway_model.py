"""A model on the benchmarks' features: ``python -m benchmarks.gateway_model FOLDER``.

Twenty inputs as a trained model of Headrace takes them, a small network behind them. Run in a
process of its own, so that the one that measures need not import TensorFlow.
"""

from __future__ import annotations

import itertools
import sys

from benchmarks.feature_store_setup import ENTITIES

#: Suffix of a feature's name to the type of its tensor.
KINDS = {
    "mean": "float32",
    "rate": "float32",
    "count": "int64",
    "code": "string",
    "last": "float32",
}
WIDTH, LAYERS = 128, 3


def inputs() -> dict[str, str]:
    """Type of each input by name."""
    return {f"{entity}_{name}": kind for entity in ENTITIES for name, kind in KINDS.items()}


def export(folder: str) -> None:
    """Writes the SavedModel."""
    import tensorflow as tf

    from headrace.components.shared.signatures import RAW_SIGNATURE

    chance = tf.random.Generator.from_seed(1)
    sizes = [len(inputs()), *[WIDTH] * LAYERS, 1]
    module = tf.Module()
    module.weights = [
        tf.Variable(chance.normal(shape, stddev=0.1)) for shape in itertools.pairwise(sizes)
    ]

    def number(values: tf.Tensor) -> tf.Tensor:
        if values.dtype == tf.string:
            values = tf.strings.to_hash_bucket_fast(values, 1000)
        return tf.math.log1p(tf.abs(tf.cast(values, tf.float32)))

    specs = {n: tf.TensorSpec([None], tf.as_dtype(kind), name=n) for n, kind in inputs().items()}

    @tf.function(input_signature=[specs])
    def predict(features: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        hidden = tf.stack([number(features[name]) for name in specs], axis=1)
        for weight in module.weights[:-1]:
            hidden = tf.nn.relu(hidden @ weight)
        return {"probability": tf.sigmoid(tf.squeeze(hidden @ module.weights[-1], axis=1))}

    module.predict = predict
    tf.saved_model.save(module, folder, signatures={RAW_SIGNATURE: predict})


if __name__ == "__main__":
    export(sys.argv[1])
