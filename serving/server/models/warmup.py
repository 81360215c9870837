"""Replaying recorded requests before a version serves, so that the first client does not wait."""

from __future__ import annotations

import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow_serving.apis import prediction_log_pb2

from headrace.serving.server import calls, inference
from headrace.serving.server.errors import Code, ServingError
from headrace.serving.server.seam import Observer, Servable

FILE = "assets.extra/tf_serving_warmup_requests"
MAX_RECORDS = 1000
#: Kind of a record to what answers its request.
_ANSWERS: Mapping[str, Callable[[Servable, Any], Coroutine[Any, Any, Any]]] = {
    "predict_log": inference.predict,
    "classify_log": inference.classify,
    "regress_log": inference.regress,
    "multi_inference_log": inference.multi_inference,
}


def replay(servable: Servable, path: str, observer: Observer, iterations: int = 1) -> None:
    """Sends a version the requests that were recorded with it, if any were.

    Args:
        servable: The loaded version.
        path: Its folder.
        observer: Is told how long it took.
        iterations: How often each request is sent.

    Raises:
        ServingError: a record cannot be read or answered, or there are too many.
    """
    file = f"{path}/{FILE}"
    if not tf.io.gfile.exists(file):
        return
    start = time.perf_counter()
    records = 0
    try:
        for record in tf.compat.v1.io.tf_record_iterator(file):
            log = prediction_log_pb2.PredictionLog.FromString(record)
            for _ in range(iterations):
                _send(servable, log)
            records += 1
            if records > MAX_RECORDS:
                raise ServingError(
                    Code.INVALID_ARGUMENT,
                    f"Number of warmup records exceeds the maximum ({MAX_RECORDS}) at {file}",
                )
    except tf.errors.DataLossError as error:
        raise ServingError(
            Code.DATA_LOSS,
            f"{error.message}. Please verify your warmup data is in TFRecord format.",
        ) from None
    except DecodeError:
        raise ServingError(
            Code.INVALID_ARGUMENT, f"Failed to parse warmup record {records} from {file}"
        ) from None
    observer.warmup(servable.name, records, time.perf_counter() - start)


def _send(servable: Servable, log: prediction_log_pb2.PredictionLog) -> None:
    kind = log.WhichOneof("log_type")
    if kind is None:
        return
    if kind not in _ANSWERS:
        raise ServingError(Code.UNIMPLEMENTED, f"Unsupported log_type for warmup: {kind}")
    calls.result(_ANSWERS[kind](servable, getattr(log, kind).request))
