"""Broken gRPC messages: an answer to each, no error of the server's own, no growing memory."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator
from typing import Any

import grpc
import pytest
import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    predict_pb2,
    regression_pb2,
)

from .mutation import REQUESTS, memory, mutants

PREDICTION, MANAGEMENT = "PredictionService", "ModelService"
CLASSIFY = classification_pb2.ClassificationRequest
REGRESS = regression_pb2.RegressionRequest
METADATA = get_model_metadata_pb2.GetModelMetadataRequest
PIECES = [
    *(b"\x00", b"\xff" * 10, b"\x80" * 9, b"half", b"serving_default", b"x", b"\x0a\x04half"),
    *(b"\x08\x01", b"\x12\x02\x08\x01", b"\x08\xff\xff\xff\xff\x07", b"\x3d\x00\x00\x80\x7f"),
    # A shape of many elements, of a negative size, of many dimensions.
    *(b"\x12\x0b\x12\x09\x08\xff\xff\xff\xff\xff\xff\xff\x7f", b"\x12\x04\x12\x02\x08\x7f" * 70),
]


def predict(model: str, signature: str = "", **inputs: Any) -> bytes:
    request = predict_pb2.PredictRequest()
    request.model_spec.name = model
    request.model_spec.signature_name = signature
    for alias, value in inputs.items():
        request.inputs[alias].CopyFrom(tf.make_tensor_proto(value))
    return request.SerializeToString()


def examples(request: Any, signature: str = "") -> bytes:
    request.model_spec.name = "examples"
    request.model_spec.signature_name = signature
    add_examples(request)
    return request.SerializeToString()


def add_examples(request: Any) -> None:
    for _ in range(2):
        example = request.input.example_list.examples.add()
        example.features.feature["x"].float_list.value.append(80.0)
        example.features.feature["other"].bytes_list.value.append(b"text")


def multi() -> bytes:
    request = inference_pb2.MultiInferenceRequest()
    for name in ("classify", "regress"):
        task = request.tasks.add(method_name=f"tensorflow/serving/{name}")
        task.model_spec.name, task.model_spec.signature_name = "examples", name
    add_examples(request)
    return request.SerializeToString()


def metadata() -> bytes:
    request = METADATA(metadata_field=["signature_def"])
    request.model_spec.name = "half"
    return request.SerializeToString()


def status() -> bytes:
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = "half"
    request.model_spec.version.value = 1
    return request.SerializeToString()


def mostly_parsable(kind: Any, messages: Iterator[bytes]) -> Iterator[bytes]:
    """gRPC's own library refuses what is no message at all: a few of those are enough."""
    for number, message in enumerate(messages):
        try:
            kind.FromString(message)
        except DecodeError:
            if number % 20:
                continue
        yield message


def test_broken_messages(shared: Any, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.CRITICAL, "grpc")
    methods = [
        (PREDICTION, "Predict", predict_pb2.PredictRequest, [
            predict("half", x=[1.0, 2.0]),
            predict("half", "two", a=[1.0], b=[2.0]),
            predict("types", "string", x=[b"a", b"bc"]),
            predict("types", "complex64", x=[1 + 2j]),
            predict("types", "half", x=tf.constant([1, 2], tf.half)),
            predict("types", "int8", x=tf.constant([[1, 2]], tf.int8)),
        ]),
        (PREDICTION, "Classify", CLASSIFY, [examples(CLASSIFY(), "classify")]),
        (PREDICTION, "Regress", REGRESS, [examples(REGRESS())]),
        (PREDICTION, "MultiInference", inference_pb2.MultiInferenceRequest, [multi()]),
        (PREDICTION, "GetModelMetadata", METADATA, [metadata()]),
        (MANAGEMENT, "GetModelStatus", get_model_status_pb2.GetModelStatusRequest, [status()]),
    ]  # fmt: skip
    calls = []
    for seed, (service, method, kind, seeds) in enumerate(methods):
        call = shared.clients.channel.unary_unary(f"/tensorflow.serving.{service}/{method}")
        calls.append((call, mostly_parsable(kind, mutants(seeds, PIECES, seed))))
    codes: Counter[str] = Counter()
    for number in range(REQUESTS):
        if number == REQUESTS // 5:
            before = memory()
        call, broken = calls[number % len(calls) if number % 2 else 0]
        message = next(broken)
        try:
            call(message, timeout=60)
            codes["OK"] += 1
        except grpc.RpcError as error:
            codes[error.code().name] += 1
            assert error.code() is not grpc.StatusCode.DEADLINE_EXCEEDED, message
            assert "see the server's log" not in error.details(), message
            assert "Traceback" not in error.details(), message
    print(codes, f"memory grew by {(memory() - before) / 1e6:.0f} MB")
    assert codes["OK"] > REQUESTS / 50
    assert codes["INVALID_ARGUMENT"] > REQUESTS / 50
    assert memory() - before < 30e6
