"""Turns the features of the feature store into the tensors that `model.py` takes.

Every number becomes its rank among the training values, between 0 and 1: delays have long tails,
and a rank is as meaningful for one number as for another. All numbers share one quantiles
analyzer, because the time that the analysis takes grows with the number of analyzers.
"""

from __future__ import annotations

import tensorflow as tf
import tensorflow_transform as tft

LABEL = "late"
CATEGORIES = ("carrier", "dest", "origin")
QUANTILES = 64
MISSING = -1.0

Column = tf.Tensor | tf.SparseTensor


def preprocessing_fn(inputs: dict[str, Column]) -> dict[str, tf.Tensor]:
    """Rank the numbers and index the categories.

    Args:
        inputs: Features by name; every one that is neither the label nor a category is a number.

    Returns:
        `numeric`, ranks in [0, 1], or -1 where the number is missing; one index per category;
        the label.
    """
    names = sorted(set(inputs) - {LABEL, *CATEGORIES})
    numbers = tf.concat([_number(inputs[name]) for name in names], axis=1)
    outputs = {"numeric": tf.where(tf.math.is_nan(numbers), MISSING, _ranks(numbers))}
    for name in CATEGORIES:
        outputs[name] = tft.compute_and_apply_vocabulary(
            _dense(inputs[name], ""), num_oov_buckets=1, vocab_filename=name
        )
    if LABEL in inputs:
        outputs[LABEL] = _dense(inputs[LABEL], 0)
    return outputs


def _ranks(values: tf.Tensor) -> tf.Tensor:
    """Rank each value within its column: the share of training values that are smaller.

    Between two quantiles the rank is interpolated; where quantiles coincide, as in a column with
    many zeros, it jumps.
    """
    # One row per column: the order that searchsorted wants. Missing values (NaN) do not count.
    quantiles = tft.quantiles(values, QUANTILES, epsilon=0.001, reduce_instance_dims=False)
    columns = tf.transpose(values)
    last = QUANTILES - 2
    above = tf.searchsorted(quantiles, columns, side="right")
    below = tf.clip_by_value(above - 1, 0, last - 1)
    low = tf.gather(quantiles, below, batch_dims=1)
    high = tf.gather(quantiles, below + 1, batch_dims=1)
    inside = tf.math.divide_no_nan(columns - low, high - low)
    ranks = tf.cast(below, tf.float32) + tf.clip_by_value(inside, 0.0, 1.0)
    return tf.transpose(tf.where(above > last, float(last), ranks) / last)


def _number(column: Column) -> tf.Tensor:
    """Make a float column of shape [batch, 1] with NaN for missing."""
    if isinstance(column, tf.SparseTensor):
        column = column.with_values(tf.cast(column.values, tf.float32))
    return tf.cast(_dense(column, float("nan")), tf.float32)


def _dense(column: Column, default: float | str) -> tf.Tensor:
    """Make a column of shape [batch, 1], with `default` for missing."""
    if isinstance(column, tf.SparseTensor):
        # A batch in which the feature is missing throughout has no second dimension.
        one_each = tf.SparseTensor(column.indices, column.values, [column.dense_shape[0], 1])
        return tf.sparse.to_dense(one_each, default)
    return tf.reshape(column, [-1, 1])
