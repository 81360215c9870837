"""Transformed examples, written and read by way of Arrow.

TFX's own materialisation runs row by row in Beam; applying the saved graph to batches and encoding
with tfx_bsl writes the same artifact in a tenth of the time.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from headrace.components.shared import examples

FILE = "transformed_examples-00000-of-00001.gz"
#: The splits that the trainer and the tuner read; the test split is for the exported model alone.
SPLITS = ("train", "eval")


def materialize(source: Path, graph: Path, target: Path) -> dict[str, int]:
    """Applies the transform graph to the splits that learning reads.

    Args:
        source: Examples artifact.
        graph: TransformGraph artifact.
        target: Examples artifact to write.

    Returns:
        Name of each transformed feature to its number of values per row.
    """
    import tensorflow as tf
    import tensorflow_transform as tft

    output = tft.TFTransformOutput(str(graph))
    spec = output.raw_feature_spec()
    layer = output.transform_features_layer()

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])  # type: ignore[untyped-decorator]
    def apply(serialized: Any) -> Any:
        return layer(tf.io.parse_example(serialized, spec))

    widths: dict[str, int] = {}

    def batches(split: str) -> Iterator[pa.RecordBatch]:
        for records in examples.serialized(examples.shards(source, split)):
            arrays = {name: array.numpy() for name, array in apply(tf.constant(records)).items()}
            widths.update({name: int(np.prod(array.shape[1:])) for name, array in arrays.items()})
            columns = {name: _as_lists(array) for name, array in sorted(arrays.items())}
            yield pa.RecordBatch.from_pydict(columns)

    for split in SPLITS:
        examples.write_batches(batches(split), examples.split_folder(target, split) / FILE)
    return widths


def read_arrays(source: Path, split: str) -> dict[str, np.ndarray]:
    """The transformed features of one split.

    Returns:
        Feature name to an array of shape ``[rows]``, or ``[rows, n]`` for a vector.
    """
    parts: dict[str, list[np.ndarray]] = {}
    for batch in examples.decoded(examples.shards(source, split)):
        for name, column in zip(batch.schema.names, batch.columns, strict=True):
            values = column.flatten().to_numpy(zero_copy_only=False)
            width = len(values) // len(column)
            shaped = values.reshape(len(column), width) if width > 1 else values
            parts.setdefault(name, []).append(shaped)
    return {name: np.concatenate(chunks) for name, chunks in parts.items()}


def _as_lists(array: np.ndarray) -> pa.Array:
    rows = len(array)
    width = int(np.prod(array.shape[1:]))
    kind = np.float32 if np.issubdtype(array.dtype, np.floating) else np.int64
    values = array.reshape(-1)
    flat = pa.array(values.astype(kind)) if array.dtype != object else pa.array(values)
    offsets = pa.array(np.arange(0, rows * width + 1, width, dtype=np.int64))
    return pa.LargeListArray.from_arrays(offsets, flat)
