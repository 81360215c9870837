"""Loading an export the way TensorFlow Serving does, and asking it real rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from headrace.components.shared import examples
from headrace.components.shared.signatures import (
    EXAMPLES_SIGNATURE,
    MISSING_INT,
    MISSING_TEXT,
    RAW_SIGNATURE,
)

_TOLERANCE = 1e-5


def probe(model: Path, source: Path, rows: int) -> dict[str, Any]:
    """Asks the model the same rows through both signatures.

    The session loader restores variables by name in C++, like TensorFlow Serving; an export whose
    variables only Python can find fails here.

    Args:
        model: SavedModel.
        source: Examples artifact; its test split is used.
        rows: How many rows to send.

    Returns:
        Number of rows, the largest difference between the signatures, and the smallest and
        largest answer.

    Raises:
        ValueError: an answer is not finite, or the signatures disagree.
    """
    import tensorflow as tf

    paths = examples.shards(source, "test")
    records = next(examples.serialized(paths, rows))
    columns = examples.read(paths).slice(0, len(records)).to_pydict()
    with tf.compat.v1.Session(graph=tf.Graph()) as session:
        loaded = tf.compat.v1.saved_model.loader.load(session, ["serve"], str(model))
        from_examples = _ask(
            session, loaded.signature_def[EXAMPLES_SIGNATURE], {"examples": records}
        )
        raw = loaded.signature_def[RAW_SIGNATURE]
        feeds = {
            name: _tensor(columns.get(name), info, len(records))
            for name, info in raw.inputs.items()
        }
        from_tensors = _ask(session, raw, feeds)
    if not np.isfinite(from_examples).all():
        raise ValueError(f"{int((~np.isfinite(from_examples)).sum())} answers are not finite")
    difference = float(np.abs(from_examples - from_tensors).max())
    if difference > _TOLERANCE:
        raise ValueError(
            f"{EXAMPLES_SIGNATURE} and {RAW_SIGNATURE} differ by up to {difference:g} on one row"
        )
    return {
        "rows": len(records),
        "difference": difference,
        "smallest": float(from_examples.min()),
        "largest": float(from_examples.max()),
    }


def _ask(session: Any, signature: Any, values: dict[str, Any]) -> np.ndarray:
    (output,) = signature.outputs.values()
    feeds = {signature.inputs[name].name: value for name, value in values.items()}
    return session.run(output.name, feeds)  # type: ignore[no-any-return]


def _tensor(values: list[Any] | None, info: Any, rows: int) -> np.ndarray:
    """A column as the named tensor that a client would send."""
    import tensorflow as tf

    dtype = tf.as_dtype(info.dtype)
    if dtype == tf.string:
        missing: Any = MISSING_TEXT
    else:
        missing = np.nan if dtype.is_floating else MISSING_INT
    filled = [missing if value is None else value for value in values or [None] * rows]
    return np.array(filled, dtype=object if dtype == tf.string else dtype.as_numpy_dtype)
