"""Calls that do not go as usual, in the threads that take gRPC's events."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from tensorflow_serving.apis import predict_pb2

from .conftest import eventually

PREDICT = "/tensorflow.serving.PredictionService/Predict"


def _request():
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "half"
    request.inputs["x"].dtype = 1
    request.inputs["x"].tensor_shape.dim.add(size=1)
    request.inputs["x"].float_val.append(2)
    return request


def _threads():
    return [thread for thread in threading.enumerate() if thread.name.startswith("grpc ")]


@pytest.fixture
def server(base_path, serve):
    base = base_path("half", {1: "half"})
    return serve("--model_name=half", f"--model_base_path={base}", "--grpc_max_threads=4")


def test_a_call_without_its_message_is_refused_and_the_next_is_answered(server):
    call = server.clients.channel.stream_unary(PREDICT)
    with pytest.raises(grpc.RpcError) as refused:
        call(iter(()))
    assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED
    assert refused.value.details() == "The method requires exactly one request message."
    assert server.clients.prediction.Predict(_request()).outputs["y"].float_val[:] == [3]


def test_bytes_that_are_no_message_are_refused(server):
    call = server.clients.channel.unary_unary(PREDICT)
    with pytest.raises(grpc.RpcError) as refused:
        call(b"\xff\xff")
    assert refused.value.code() is grpc.StatusCode.INTERNAL
    assert refused.value.details() == "Exception deserializing request!"
    assert server.clients.prediction.Predict(_request()).outputs["y"].float_val[:] == [3]


def test_calls_that_clients_leave_hold_up_nobody(server):
    predict = server.clients.prediction.Predict
    for _ in range(200):
        predict.future(_request()).cancel()
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: predict(_request(), timeout=30), range(200)))
    assert all(answer.outputs["y"].float_val[:] == [3] for answer in answers)


def test_the_threads_end_with_the_server(server):
    before = len(_threads())
    assert before >= 3
    server.server.stop(0)
    eventually(lambda: len(_threads()) <= before - 3)
