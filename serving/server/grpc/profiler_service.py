"""``tensorflow.ProfilerService``, passed on to the profiler server that TensorFlow has."""

from __future__ import annotations

import functools
import socket
from typing import Any

import grpc

NAME = "tensorflow.ProfilerService"
_METHODS = ("Profile", "Terminate", "Monitor")


def handlers() -> grpc.GenericRpcHandler:
    """The service as gRPC takes it; TensorFlow's own server starts with the first request."""
    return grpc.method_handlers_generic_handler(
        NAME,
        {name: grpc.unary_unary_rpc_method_handler(_forward(name)) for name in _METHODS},
    )


def _forward(name: str) -> Any:
    def method(request: bytes, context: grpc.ServicerContext) -> Any:
        call = _channel().unary_unary(f"/{NAME}/{name}")
        try:
            return call(request, timeout=context.time_remaining())
        except grpc.RpcError as error:
            context.abort(error.code(), error.details())

    return method


@functools.lru_cache(1)
def _channel() -> grpc.Channel:
    import tensorflow as tf

    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        port = probe.getsockname()[1]
    tf.profiler.experimental.server.start(port)
    return grpc.insecure_channel(f"localhost:{port}")
