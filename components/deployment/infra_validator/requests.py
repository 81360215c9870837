"""Real rows as the requests that a model's two signatures take, and as its warm-up."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from headrace.components.shared import examples
from headrace.components.shared.errors import DataError
from headrace.components.shared.signatures import EXAMPLES_SIGNATURE, RAW_SIGNATURE
from headrace.serving.client import Signature, columns_of
from headrace.serving.gateway.tensor_protos import Array, to_proto

#: Input arrays by signature and by input.
Requests = Mapping[str, Mapping[str, Array]]


@dataclass(frozen=True)
class Rows:
    """The same rows twice.

    Attributes:
        records: Serialized tf.Examples, objects of shape (rows,).
        values: One dictionary of plain values per row.
    """

    records: Array
    values: list[dict[str, Any]]


def read(source: Path, rows: int) -> Rows:
    """The first rows of the test split.

    Args:
        source: Examples artifact.
        rows: How many at most.

    Raises:
        DataError: there are none.
    """
    from tfx_bsl.coders.example_coder import ExamplesToRecordBatchDecoder

    records = next(examples.serialized(examples.shards(source, "test"), rows), None)
    if records is None:
        raise DataError(
            "The test split has no rows to ask the model.", fix="Give it some under `split`."
        )
    batch = ExamplesToRecordBatchDecoder().DecodeBatch(records)
    table = examples.as_scalars(pa.Table.from_batches([batch]))
    return Rows(records, table.to_pylist())


def build(rows: Rows, raw: Signature) -> Requests:
    """What each signature is asked.

    Only what the model takes is in the requests: no label, no other column of the examples.

    Args:
        rows: The rows.
        raw: The signature of named tensors, whose inputs are the model's features.

    Raises:
        InvalidRequestError: a value is not of the type that the model takes.
    """
    values = [{name: row.get(name) for name in raw.inputs} for row in rows.values]
    records = np.empty(len(rows.records), object)
    records[:] = [_only(raw.inputs, record) for record in rows.records]
    return {EXAMPLES_SIGNATURE: {"examples": records}, RAW_SIGNATURE: columns_of(values, raw)}


def record(requests: Requests, model: str, rows: int, target: Path) -> None:
    """Writes what TensorFlow Serving replays before a version serves: TFRecord of PredictionLog.

    Each signature is asked 1, 2, 4 … and at last ``rows`` rows.

    Args:
        requests: Requests that the model has answered.
        model: Its name.
        rows: How many of the requests' rows at most; 0 leaves the file empty.
        target: The file.
    """
    import tensorflow as tf
    from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

    most = min(rows, len(requests[EXAMPLES_SIGNATURE]["examples"]))
    sizes = sorted({most, *(2**i for i in range(most.bit_length()))}) if most else []
    with tf.io.TFRecordWriter(str(target)) as writer:
        for size in sizes:
            for signature, inputs in requests.items():
                log = PredictionLog()
                request = log.predict_log.request
                request.model_spec.name = model
                request.model_spec.signature_name = signature
                for name, array in inputs.items():
                    to_proto(array[:size], request.inputs[name])
                writer.write(log.SerializeToString())


def _only(names: Iterable[str], record: bytes) -> bytes:
    import tensorflow as tf

    example = tf.train.Example.FromString(record)
    feature = example.features.feature
    for name in set(feature) - set(names):
        del feature[name]
    return example.SerializeToString()  # type: ignore[no-any-return]
