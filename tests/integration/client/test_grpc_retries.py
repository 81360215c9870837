"""What gRPC asks again and what it does not, against a real server."""

from concurrent.futures import ThreadPoolExecutor

import grpc
import numpy as np
import pytest

from headrace.feature_store.local_redis import free_port
from headrace.serving.client import GrpcClient
from headrace.serving.gateway import errors
from headrace.serving.gateway.protocol import serving_apis
from headrace.serving.gateway.tensor_protos import to_proto

APIS = serving_apis()


class Server(grpc.GenericRpcHandler):
    """Answers with the codes given, one per call, and then with a prediction."""

    def __init__(self):
        self.port = free_port()
        self.codes = []
        self.calls = 0
        self._server = None

    def start(self):
        options = [("grpc.so_reuseport", 0)]
        self._server = grpc.server(ThreadPoolExecutor(2), options=options, handlers=[self])
        assert self._server.add_insecure_port(f"127.0.0.1:{self.port}")
        self._server.start()

    def stop(self):
        self._server.stop(None).wait()

    def service(self, details):
        return grpc.unary_unary_rpc_method_handler(
            self._answer,
            request_deserializer=APIS.PredictRequest.FromString,
            response_serializer=lambda message: message.SerializeToString(),
        )

    def _answer(self, request, context):
        self.calls += 1
        if self.codes:
            context.abort(self.codes.pop(0), "not now")
        answer = APIS.PredictResponse()
        answer.model_spec.version.value = 5
        to_proto(np.float32([self.calls]), answer.outputs["y"])
        return answer


@pytest.fixture
def server():
    server = Server()
    server.start()
    yield server
    server.stop()


@pytest.fixture
def client(server):
    with GrpcClient(f"127.0.0.1:{server.port}", deadline=30) as client:
        yield client


def test_a_busy_server_is_asked_again(server, client):
    server.codes = [grpc.StatusCode.UNAVAILABLE] * 2
    answer = client.predict("m", {"x": [1.0]})
    assert (answer.version, answer.outputs["y"].tolist()) == (5, [3.0])


def test_three_attempts_are_all(server, client):
    server.codes = [grpc.StatusCode.UNAVAILABLE] * 4
    with pytest.raises(errors.ModelServerError, match="down or too busy: not now"):
        client.predict("m", {"x": [1.0]})
    assert server.calls == 3


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("INVALID_ARGUMENT", errors.InvalidRequestError),
        ("NOT_FOUND", errors.UnknownModelError),
        ("PERMISSION_DENIED", errors.UnauthenticatedError),
        ("INTERNAL", errors.PredictionError),
        ("RESOURCE_EXHAUSTED", errors.ModelServerError),
    ],
)
def test_a_refusal_is_not_asked_again(server, client, code, kind):
    server.codes = [grpc.StatusCode[code]]
    with pytest.raises(kind, match="not now"):
        client.predict("m", {"x": [1.0]})
    assert server.calls == 1


def test_a_server_that_was_restarted_is_found(server, client):
    client.predict("m", {"x": [1.0]})
    server.stop()
    server.start()
    assert client.predict("m", {"x": [1.0]}).version == 5
