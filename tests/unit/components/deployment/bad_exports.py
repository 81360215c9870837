"""Exports that must not be served: ``bad_exports.py FOLDER`` makes one folder for each."""

import sys
from pathlib import Path

import keras
import tensorflow as tf

WHOLE = tf.io.FixedLenFeature([], tf.int64, default_value=0)


def export(module, answer, target, differently=lambda numbers: numbers):
    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def serve_examples(examples):
        parsed = tf.io.parse_example(examples, {"whole": WHOLE})
        return {"probability": answer(tf.cast(parsed["whole"], tf.float32))}

    @tf.function(input_signature=[{"whole": tf.TensorSpec([None], tf.int64, name="whole")}])
    def serve_tensors(features):
        whole = tf.maximum(tf.cast(features["whole"], tf.float32), 0.0)
        return {"probability": differently(answer(whole))}

    signatures = {"serving_default": serve_examples, "raw_tensors": serve_tensors}
    tf.saved_model.save(module, str(target), signatures=signatures)


def main(folder):
    # The pattern of TFX's own examples: Python finds the variables, the C++ loader does not.
    module = tf.Module()
    module.model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    export(
        module,
        lambda numbers: tf.reshape(module.model(tf.reshape(numbers, [-1, 1])), [-1]),
        folder / "broken",
    )
    export(tf.Module(), lambda numbers: numbers, folder / "apart", lambda numbers: numbers + 0.1)
    export(tf.Module(), lambda numbers: numbers * float("nan"), folder / "nan")


main(Path(sys.argv[1]))
