"""Running an exported model over serialized tf.Examples, as its server would."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from headrace.components.shared import examples
from headrace.components.shared.signatures import EXAMPLES_SIGNATURE


def predict(saved_model: Path, paths: Iterable[str]) -> np.ndarray:
    """Predictions for every example, in order.

    Args:
        saved_model: Folder of the SavedModel.
        paths: Record files.

    Returns:
        Array of shape ``[examples]``.
    """
    import tensorflow as tf

    signature = tf.saved_model.load(str(saved_model)).signatures[EXAMPLES_SIGNATURE]
    parts = []
    for records in examples.serialized(paths):
        (answer,) = signature(examples=tf.constant(records)).values()
        parts.append(answer.numpy().reshape(-1))
    return np.concatenate(parts)
