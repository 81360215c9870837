"""tf.Transform: the same code in training and inside the served model."""

from __future__ import annotations

import tensorflow as tf
import tensorflow_transform as tft

LABEL = "MEDV"


def preprocessing_fn(inputs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """Scales all features; the label stays in thousands of dollars.

    Args:
        inputs: Raw features of shape ``[batch, 1]``.

    Returns:
        One vector of features, and the label.
    """
    names = sorted(name for name in inputs if name != LABEL)
    numbers = tf.concat([tf.cast(inputs[name], tf.float32) for name in names], axis=1)
    return {"numbers": tft.scale_to_z_score(numbers, elementwise=True), LABEL: inputs[LABEL]}
