"""What may happen to a server while it is asked without a pause: no request may notice.

The clients check each answer for belonging whole to one version; ``traffic`` fails the test for any
request that fails.
"""

from __future__ import annotations

import shutil
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2

from tests.integration.serving.conftest import model_config, model_entry
from tests.integration.serving.rest.client import ask
from tests.support.waiting import eventually

from .conftest import MODEL, Replica, Traffic

SWAPS = 100


def push(server: Replica) -> int:
    """The next version, which serves when this returns."""
    version = max(server.states()) + 1
    server.add(version)
    server.reload()
    eventually(lambda: server.states().get(version) == "AVAILABLE")
    return version


def predict(server: Replica, version: int) -> None:
    request = predict_pb2.PredictRequest()
    request.model_spec.name = MODEL
    request.model_spec.version.value = version
    request.inputs["x"].CopyFrom(tf.make_tensor_proto([2.0]))
    server.clients.prediction.Predict(request)


def test_a_hundred_swaps(server: Replica, traffic: Traffic) -> None:
    seen: set[str] = set()
    for _ in range(SWAPS):
        version = push(server)
        seen |= traffic.report().keys()
        shutil.rmtree(server.base / str(version - 1))
    traffic.answers_with(version)
    assert len({name for name in seen if name.startswith("version")}) > SWAPS / 2
    eventually(lambda: list(server.states().values()).count("AVAILABLE") == 1)


def test_a_corrupt_version_folder(server: Replica, traffic: Traffic) -> None:
    good = push(server)
    staged = server.base / ".staged"
    shutil.copytree(server.base / str(good), staged)
    (staged / "saved_model.pb").write_bytes(b"\x0a\xff not a graph")
    staged.rename(server.base / str(good + 1))
    server.reload()
    eventually(lambda: server.says(f"/{good + 1}/saved_model.pb': Error parsing"))
    traffic.answers_with(good)
    server.add(good + 2)  # the next push mends it, while the broken one is still being tried
    traffic.answers_with(good + 2)


def test_a_version_folder_deleted_in_use(server: Replica, traffic: Traffic) -> None:
    before, newest = push(server), push(server)
    predict(server, newest)
    traffic.answers_with(newest)
    shutil.rmtree(server.base / str(newest))
    traffic.answers_with(before)
    with pytest.raises(grpc.RpcError) as caught:
        predict(server, newest)
    assert caught.value.code() is grpc.StatusCode.NOT_FOUND
    said = f"Servable not found for request: Specific({MODEL}, {newest})"
    assert caught.value.details() == said


def test_a_reload_to_something_bad(server: Replica, traffic: Traffic) -> None:
    version = push(server)
    for bad in [
        "",
        model_config(model_entry(MODEL, "relative")),
        model_config(*server.entries * 2),
    ]:
        with pytest.raises(grpc.RpcError):
            server.reload(bad)
    traffic.answers_with(version)


def test_a_config_file_that_becomes_bad(server: Replica, traffic: Traffic) -> None:
    version = push(server)
    good = server.config.read_text()
    for bad, said in [
        ("nonsense {", "Error parsing text-format tensorflow.serving.ModelServerConfig"),
        ("", "Cannot transition to requested config"),
        (None, "was not taken over: NOT_FOUND"),
    ]:
        server.config.unlink()
        if bad is not None:
            server.config.write_text(bad)
        eventually(lambda said=said: server.says(said))
    traffic.answers_with(version)
    server.config.write_text(good)
    push(server)


def test_a_full_disk_under_the_request_log(
    server: Replica, traffic: Traffic, mounted: Callable[[Path, str], Path]
) -> None:
    version = push(server)
    place = mounted(server.requests, "64k")
    logged = "logging_config { sampling_config { sampling_rate: 1 } }"
    entry = model_entry(MODEL, server.base, logged)
    server.config.write_text(model_config(entry, *server.entries[1:]))
    eventually(lambda: server.says(f"logged requests of {MODEL} are lost"))
    traffic.answers_with(version)
    assert not list(place.glob(".*")), "no part of a file is left"
    server.config.write_text(model_config(*server.entries))


def test_sigterm_with_requests_in_flight(replicas: tuple[Replica, Replica]) -> None:
    backup, ending = replicas
    clients = Traffic(ending, backup)
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "slow"
    request.inputs["steps"].CopyFrom(tf.make_tensor_proto([2000], tf.int64))
    path, body = "/v1/models/slow:predict", '{"inputs": [2000]}'
    try:
        clients.answered_by(0)
        with ThreadPoolExecutor(2) as pool:
            calls = [ending.clients.prediction.Predict.future(request) for _ in range(2)]
            address = f"127.0.0.1:{ending.rest_port}"
            posts = [pool.submit(ask, address, "POST", path, body) for _ in range(2)]
            eventually(lambda: any(call.running() for call in calls))
            time.sleep(0.1)
            ending.process.send_signal(signal.SIGTERM)
            assert not any(call.done() for call in [*calls, *posts]), "nothing is in flight"
            refused = clients.answered_by(1)
            answers = [list(call.result(60).outputs["done"].int64_val) for call in calls]
            documents = [post.result().document for post in posts]
        assert answers == [[2000]] * 2
        assert documents == [{"outputs": [2000]}] * 2
        assert ending.process.wait(60) == 0
        refused |= clients.answered_by(1)
    finally:
        clients.stop()
    # gRPC says UNAVAILABLE, or the clients would have counted a failure. A REST connection that
    # is kept may be closed at the moment at which its client sends the next request.
    closed = {"RemoteDisconnected", "ConnectionResetError", "BrokenPipeError"}
    assert {name.split(": ")[1] for name in refused if name.startswith("REST")} <= {
        "ConnectionRefusedError",
        *closed,
    }
    assert {name.split()[0] for name in refused} == {"gRPC", "REST"}
