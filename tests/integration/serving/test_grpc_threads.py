"""Calls that do not go as usual, in the threads that take gRPC's events."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
import tensorflow as tf
from tensorflow_serving.apis import get_model_status_pb2, predict_pb2

from headrace.serving.server.grpc.unary_call import Method
from tests.support.waiting import eventually

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


def test_while_the_model_runs_other_calls_are_answered(base_path, serve):
    base = base_path("slow", {1: "slow"})
    flags = f"--model_base_path={base}", "--grpc_max_threads=1", "--enable_batching=true"
    clients = serve("--model_name=slow", *flags).clients
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "slow"
    request.inputs["steps"].CopyFrom(tf.make_tensor_proto([2000], tf.int64))
    answer = clients.prediction.Predict.future(request)
    status = get_model_status_pb2.GetModelStatusRequest()
    status.model_spec.name = "slow"

    for _ in range(20):  # the first may come before the model has begun
        assert clients.management.GetModelStatus(status, timeout=30).model_version_status
    assert not answer.done()
    answer.cancel()


def test_a_fault_of_the_server_is_an_answer(server, monkeypatch):
    with monkeypatch.context() as patched:
        patched.setattr(Method, "begin", _broken)
        with pytest.raises(grpc.RpcError) as failed:
            server.clients.prediction.Predict(_request(), timeout=30)
    assert failed.value.code() is grpc.StatusCode.INTERNAL
    assert failed.value.details() == "Internal error; see the server's log."
    assert server.clients.prediction.Predict(_request()).outputs["y"].float_val[:] == [3]


def test_a_fault_of_the_server_ends_none_of_its_threads(server):
    (front_end,) = server.server.front_ends
    for _ in range(2 * len(_threads())):  # if each ended one, none would be left to answer
        front_end._threads._jobs.append(_broken)
        assert server.clients.prediction.Predict(_request(), timeout=30).outputs["y"].float_val


def _broken(*_):
    raise ZeroDivisionError


def test_the_threads_end_with_the_server(server):
    before = len(_threads())
    assert before >= 3
    server.server.stop(0)
    eventually(lambda: len(_threads()) <= before - 3)
