"""Exports the arithmetic of the tests' model server as SavedModels, in a process of its own."""

from __future__ import annotations

import sys

import tensorflow as tf
from model_server import INPUTS

from headrace.components.shared.signatures import MISSING_INT, RAW_SIGNATURE

TYPES = {"DT_STRING": tf.string, "DT_FLOAT": tf.float32, "DT_INT64": tf.int64}


def number(values):
    if values.dtype == tf.int64:
        values = tf.where(values == MISSING_INT, tf.zeros_like(values), values)
        return tf.cast(values, tf.float32)
    return tf.where(tf.math.is_nan(values), tf.zeros_like(values), values)


def main(target, version):
    module = tf.Module()
    tensors = {n: tf.TensorSpec([None], TYPES[kind], name=n) for n, kind in INPUTS.items()}

    @tf.function(input_signature=[tensors])
    def score(features):
        numbers = [number(features[name]) for name in INPUTS if name != "city"]
        return {"score": tf.add_n(numbers) * float(version)}

    module.score = score
    tf.saved_model.save(module, target, signatures={RAW_SIGNATURE: score})


for version in (1, 2):
    main(f"{sys.argv[1]}/export-{version}", version)
