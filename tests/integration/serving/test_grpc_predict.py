"""Predict over gRPC: every rule of the protocol, through the official client stubs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2

from .make_models import TYPES


def predict_request(model: str, signature: str = "", **inputs: Any) -> predict_pb2.PredictRequest:
    request = predict_pb2.PredictRequest()
    request.model_spec.name = model
    request.model_spec.signature_name = signature
    for alias, value in inputs.items():
        request.inputs[alias].CopyFrom(
            value if isinstance(value, tf.make_tensor_proto(0).__class__) else _proto(value)
        )
    return request


def _proto(value: Any) -> Any:
    array = np.asarray(value)
    kind = tf.float32 if array.dtype == np.float64 else None
    return tf.make_tensor_proto(value, kind)


def refused(call: Callable[[Any], Any], request: Any, code: str, text: str) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        call(request)
    assert caught.value.code().name == code
    assert text in caught.value.details()
    assert "Traceback" not in caught.value.details()


def test_answer_names_version_and_resolved_signature(shared: Any) -> None:
    answer = shared.clients.prediction.Predict(predict_request("half", x=[2.0, 4.0]))

    assert list(answer.outputs["y"].float_val) == [3.0, 4.0]
    assert answer.outputs["y"].tensor_content == b""
    assert answer.model_spec.name == "half"
    assert answer.model_spec.version.value == 1
    assert answer.model_spec.signature_name == "serving_default"


def test_output_filter_and_several_signatures(shared: Any) -> None:
    request = predict_request("half", "two", a=[3.0], b=[1.0])
    every = shared.clients.prediction.Predict(request)
    request.output_filter.append("sum")
    one = shared.clients.prediction.Predict(request)

    assert {k: tf.make_ndarray(v).tolist() for k, v in every.outputs.items()} == {
        "sum": [4.0],
        "difference": [2.0],
        "scale": 0.5,
    }
    assert list(one.outputs) == ["sum"]


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("content", [False, True])
def test_every_type_survives_the_round_trip(shared: Any, dtype: str, content: bool) -> None:
    kind = tf.as_dtype(dtype)
    value = {
        "string": np.array([[b"a", b"\xff\x00"], [b"", b"d"]], object),
        "bool": np.array([[True, False], [False, True]]),
    }.get(dtype)
    if value is None:
        value = np.array([[0, 1], [2, 100]]).astype(kind.as_numpy_dtype)
    proto = tf.make_tensor_proto(value, kind)
    if not content:
        proto.Clear()
        from headrace.serving.server import tensors

        tensors.to_proto(value, proto)
        assert (tf.make_ndarray(proto) == value).all()
    answer = shared.clients.prediction.Predict(predict_request("types", dtype, x=proto))

    assert (tf.make_ndarray(answer.outputs["y"]) == value).all()
    assert answer.outputs["y"].dtype == kind.as_datatype_enum


def test_short_lists_repeat_the_last_value_and_empty_ones_mean_zero(shared: Any) -> None:
    proto = tf.make_tensor_proto([1.0, 2.0], shape=[2])
    proto.Clear()
    proto.dtype = tf.float32.as_datatype_enum
    proto.tensor_shape.dim.add(size=4)
    empty = shared.clients.prediction.Predict(predict_request("half", x=proto))
    proto.float_val.extend([2.0, 4.0])
    repeated = shared.clients.prediction.Predict(predict_request("half", x=proto))

    assert list(empty.outputs["y"].float_val) == [2.0] * 4
    assert list(repeated.outputs["y"].float_val) == [3.0, 4.0, 4.0, 4.0]


def test_zero_rows(shared: Any) -> None:
    proto = tf.make_tensor_proto([], tf.float32, shape=[0])
    answer = shared.clients.prediction.Predict(predict_request("half", x=proto))

    assert tf.make_ndarray(answer.outputs["y"]).shape == (0,)


def test_inputs_with_defaults_may_be_left_out(shared: Any) -> None:
    answer = shared.clients.prediction.Predict(predict_request("reference"))

    assert list(answer.outputs["y"].float_val) == [21.0]


@pytest.mark.parametrize(
    ("request_", "code", "text"),
    [
        (
            predict_request("half", y=[1.0], x=[1.0]),
            "INVALID_ARGUMENT",
            "input size does not match signature: 2!=1 len({x,y}) != len({x}). "
            "Sent extra: {y}. Missing but required: {}.",
        ),
        (
            predict_request("half", "two", a=[1.0]),
            "INVALID_ARGUMENT",
            "input size does not match signature: 1!=2 len({a}) != len({a,b}). "
            "Sent extra: {}. Missing but required: {b}.",
        ),
        (
            predict_request("half", "two", a=[1.0], c=[1.0]),
            "INVALID_ARGUMENT",
            "Signature input alias: b(feed name: ",
        ),
        (
            predict_request("reference", z=[1.0]),
            "INVALID_ARGUMENT",
            "Inputs contains invalid name. Used request inputs: , request input: z",
        ),
        (
            predict_request("half", "nothing", x=[1.0]),
            "FAILED_PRECONDITION",
            'Serving signature key "nothing" not found.',
        ),
        (predict_request("half", x=[[b"text"]]), "INVALID_ARGUMENT", "string"),
        (predict_request(""), "INVALID_ARGUMENT", "ModelSpec has no name specified."),
        (predict_pb2.PredictRequest(), "INVALID_ARGUMENT", "Missing ModelSpec"),
        (
            predict_request("../half", x=[1.0]),
            "NOT_FOUND",
            "Servable not found for request: Latest(../half)",
        ),
    ],
)
def test_refusals(shared: Any, request_: Any, code: str, text: str) -> None:
    refused(shared.clients.prediction.Predict, request_, code, text)


def test_unknown_version_and_label(shared: Any) -> None:
    request = predict_request("half", x=[1.0])
    request.model_spec.version.value = 9
    refused(
        shared.clients.prediction.Predict,
        request,
        "NOT_FOUND",
        "Servable not found for request: Specific(half, 9)",
    )
    request.model_spec.version_label = "stable"
    refused(
        shared.clients.prediction.Predict,
        request,
        "INVALID_ARGUMENT",
        "Unrecognized servable version label: stable",
    )


def test_output_aliases_are_checked(shared: Any) -> None:
    request = predict_request("half", x=[1.0])
    request.output_filter.append("z")
    refused(
        shared.clients.prediction.Predict,
        request,
        "INVALID_ARGUMENT",
        "output tensor alias not found in signature: z Outputs expected to be in the set {y}.",
    )
    request.output_filter[:] = ["y", "y"]
    refused(
        shared.clients.prediction.Predict,
        request,
        "INVALID_ARGUMENT",
        "duplicate output tensor alias: y",
    )


def _damage(kind: str) -> Any:
    proto = tf.make_tensor_proto([1.0, 2.0])
    if kind == "content":
        proto.tensor_content = b"123"
    elif kind == "type":
        proto.dtype = 0
    elif kind == "resource":
        proto.dtype = tf.resource.as_datatype_enum
    elif kind == "negative":
        proto.tensor_shape.dim[0].size = -2
    elif kind == "rank":
        proto.tensor_shape.unknown_rank = True
    elif kind == "huge":
        proto.tensor_shape.dim[0].size = 2**62
    return proto


@pytest.mark.parametrize("kind", ["content", "type", "resource", "negative", "rank", "huge"])
def test_tensors_that_contradict_themselves(shared: Any, kind: str) -> None:
    refused(
        shared.clients.prediction.Predict,
        predict_request("half", x=_damage(kind)),
        "INVALID_ARGUMENT",
        "tensor parsing error: x",
    )


def test_long_errors_are_cut(shared: Any) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        shared.clients.prediction.Predict(predict_request("half", "n" * 5000, x=[1.0]))

    assert caught.value.details() == (
        ('Serving signature key "' + "n" * 5000)[:1024] + "...TRUNCATED"
    )


def test_large_tensors_pass_the_usual_limit_of_grpc(shared: Any) -> None:
    value = np.arange(3_000_000, dtype=np.float32)
    answer = shared.clients.prediction.Predict(predict_request("half", x=value))

    assert (tf.make_ndarray(answer.outputs["y"]) == value / 2 + 2).all()


def test_a_table_with_its_vocabulary(shared: Any) -> None:
    answer = shared.clients.prediction.Predict(predict_request("table", colour=[b"blue", b"no"]))

    assert list(answer.outputs["index"].int64_val) == [2, -1]


def test_tensor_content_on_request_of_a_flag(serve: Any, base_path: Any) -> None:
    running = serve(
        f"--model_base_path={base_path('m', {1: 'half'})}",
        "--enable_serialization_as_tensor_content",
    )
    answer = running.clients.prediction.Predict(predict_request("default", x=[2.0]))

    assert answer.outputs["y"].tensor_content == np.float32([3.0]).tobytes()
    assert not answer.outputs["y"].float_val
