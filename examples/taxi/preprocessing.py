"""tf.Transform: the same code in training and inside the served model."""

from __future__ import annotations

import tensorflow as tf
import tensorflow_transform as tft

LABEL = "big_tipper"
NUMBERS = (
    "fare",
    "trip_miles",
    "trip_seconds",
    "pickup_latitude",
    "pickup_longitude",
    "dropoff_latitude",
    "dropoff_longitude",
)
BUCKETS = 10
TEXTS = {"company_group": 20}
INTEGERS = ("trip_start_month", "trip_start_hour", "trip_start_day")


def preprocessing_fn(inputs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """Scales numbers, marks missing ones, and gives ids to texts.

    Args:
        inputs: Raw features; sparse where values may be missing.

    Returns:
        Dense features of shape ``[batch, n]`` and the label.
    """
    numbers = tf.concat([tf.cast(_dense(inputs[n], float("nan")), tf.float32) for n in NUMBERS], 1)
    missing = tf.math.is_nan(numbers)
    # Distances and fares are heavy-tailed.
    logs = tf.math.log1p(tf.maximum(tf.where(missing, tf.zeros_like(numbers), numbers), 0.0))
    outputs = {
        "numbers": tf.where(missing, tf.zeros_like(logs), tft.scale_to_z_score(logs, True)),
        "missing": tf.cast(missing, tf.float32),
        LABEL: _dense(inputs[LABEL], 0),
    }
    for name, size in TEXTS.items():
        outputs[f"{name}_id"] = tft.compute_and_apply_vocabulary(
            _dense(inputs[name], ""), top_k=size, num_oov_buckets=1, vocab_filename=name
        )
    for name in INTEGERS:
        outputs[f"{name}_id"] = _dense(inputs[name], 0)
    return outputs


def _dense(values: tf.Tensor | tf.SparseTensor, default: float | str) -> tf.Tensor:
    if not isinstance(values, tf.SparseTensor):
        return values
    if values.dtype == tf.int64 and default != default:  # NaN does not fit into an integer
        values = tf.cast(values, tf.float32)
    shape = [values.dense_shape[0], 1]
    return tf.sparse.to_dense(tf.SparseTensor(values.indices, values.values, shape), default)
