"""The gRPC port: TLS, sockets, health, reflection, profiler, limits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import grpc
import pytest
import tensorflow as tf
from google.protobuf import text_format
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from tensorflow_serving.apis import predict_pb2

from headrace.serving.server.config import messages
from headrace.serving.server.errors import ServingError
from tests.support.certificates import certificate

from .conftest import Clients, free_port


def answer(clients: Clients, timeout: float = 20) -> list[float]:
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "default"
    request.inputs["x"].CopyFrom(tf.make_tensor_proto([2.0]))
    return list(clients.prediction.Predict(request, timeout=timeout).outputs["y"].float_val)


def ssl_file(path: Path, **fields: Any) -> Path:
    path.write_text(text_format.MessageToString(messages.SSLConfig(**fields)))
    return path


def test_tls_with_client_certificates(serve: Any, base_path: Any, tmp_path: Path) -> None:
    server_key, server_cert = certificate()
    client_key, client_cert = certificate()
    config = ssl_file(
        tmp_path / "ssl.config",
        server_key=server_key,
        server_cert=server_cert,
        custom_ca=client_cert,
        client_verify=True,
    )
    running = serve(
        f"--model_base_path={base_path('m', {1: 'half'})}", f"--ssl_config_file={config}"
    )
    known = grpc.ssl_channel_credentials(
        server_cert.encode(), client_key.encode(), client_cert.encode()
    )
    unknown = grpc.ssl_channel_credentials(server_cert.encode())

    assert answer(Clients(running.grpc_address, known)) == [3.0]
    for clients in (Clients(running.grpc_address, unknown), running.clients):
        with pytest.raises(grpc.RpcError) as caught:
            answer(clients)
        assert caught.value.code() is grpc.StatusCode.UNAVAILABLE


def test_a_key_that_is_none(serve: Any, base_path: Any, tmp_path: Path) -> None:
    config = ssl_file(tmp_path / "ssl.config", server_key="key", server_cert="")
    with pytest.raises(ServingError) as caught:
        serve(f"--model_base_path={base_path('m', {1: 'half'})}", f"--ssl_config_file={config}")
    assert "ssl.config" in caught.value.message


def test_unix_socket_beside_the_port(serve: Any, base_path: Any, tmp_path: Path) -> None:
    socket = tmp_path / "grpc.socket"
    running = serve(
        f"--model_base_path={base_path('m', {1: 'half'})}", f"--grpc_socket_path={socket}"
    )

    assert answer(running.clients) == [3.0]
    assert answer(Clients(f"unix:{socket}")) == [3.0]


def test_a_port_that_is_taken(serve: Any, base_path: Any) -> None:
    base = base_path("m", {1: "half"})
    port = free_port()
    serve(f"--model_base_path={base}", f"--port={port}")
    with pytest.raises(ServingError, match=f"Cannot listen at 0.0.0.0:{port}"):
        serve(f"--model_base_path={base}", f"--port={port}")


def test_channel_arguments_reach_the_server(serve: Any, base_path: Any) -> None:
    running = serve(
        f"--model_base_path={base_path('m', {1: 'half'})}",
        "--grpc_channel_arguments=grpc.max_receive_message_length=10,grpc.some=text",
    )
    with pytest.raises(grpc.RpcError) as caught:
        answer(running.clients)
    assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


@pytest.mark.parametrize("service", ["", "ModelService", "PredictionService"])
def test_health(shared: Any, service: str) -> None:
    stub = health_pb2_grpc.HealthStub(shared.clients.channel)

    assert stub.Check(health_pb2.HealthCheckRequest(service=service)).status == 1


def test_health_is_off_by_default(serve: Any, base_path: Any) -> None:
    running = serve(f"--model_base_path={base_path('m', {1: 'half'})}")
    with pytest.raises(grpc.RpcError) as caught:
        health_pb2_grpc.HealthStub(running.clients.channel).Check(health_pb2.HealthCheckRequest())
    assert caught.value.code() is grpc.StatusCode.UNIMPLEMENTED


def test_reflection_lists_the_services(shared: Any) -> None:
    stub = reflection_pb2_grpc.ServerReflectionStub(shared.clients.channel)
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    (reply,) = stub.ServerReflectionInfo(iter([request]))

    assert {one.name for one in reply.list_services_response.service} >= {
        "tensorflow.serving.PredictionService",
        "tensorflow.serving.ModelService",
        "grpc.health.v1.Health",
    }
