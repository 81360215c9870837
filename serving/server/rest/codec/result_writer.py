"""The JSON of classify and regress answers, laid out as TensorFlow Serving does."""

from __future__ import annotations

from json.encoder import encode_basestring

import numpy as np
from tensorflow_serving.apis import classification_pb2, regression_pb2

from headrace.serving.server.rest.codec.floats import format_floats
from headrace.serving.server.rest.codec.tensor_errors import invalid
from headrace.serving.server.rest.codec.tensor_writer import encode


def write_classes(result: classification_pb2.ClassificationResult) -> bytes:
    """``{"results": [[["label", score], …], …]}``.

    Raises:
        ServingError: INVALID_ARGUMENT, there is no result.
    """
    if not result.classifications:
        raise invalid("Cannot convert empty ClassificationResults to JSON")
    entries = [list(entry.classes) for entry in result.classifications]
    scores = iter(_texts([one.score for entry in entries for one in entry]))
    rows = [
        ", ".join(f"[{encode_basestring(one.label)}, {next(scores)}]" for one in entry)
        for entry in entries
    ]
    body = ", ".join(f"[{row}]" for row in rows)
    return encode('{\n    "results": [' + body + "\n    ]\n}")


def write_values(result: regression_pb2.RegressionResult) -> bytes:
    """``{"results": [value, …]}``.

    Raises:
        ServingError: INVALID_ARGUMENT, there is no result.
    """
    if not result.regressions:
        raise invalid("Cannot convert empty RegressionResults to JSON")
    texts = _texts([one.value for one in result.regressions])
    return encode('{\n    "results": [' + ", ".join(texts) + "]\n}")


def _texts(values: list[float]) -> list[str]:
    return format_floats(np.array(values, np.float32))
