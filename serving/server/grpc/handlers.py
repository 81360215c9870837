"""From a function that raises ``ServingError`` to a gRPC method that grpcio runs in its pool."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import grpc

from headrace.serving.server.errors import Code, ServingError

logger = logging.getLogger(__name__)

#: What a client is told of an error that is the server's.
UNFORESEEN = "Internal error; see the server's log."
_LONGEST_MESSAGE = 1024
_STATUS = {code: getattr(grpc.StatusCode, code.name) for code in Code}


def blocking_handler(answer: Callable[[Any, str], Any], request: Any) -> grpc.RpcMethodHandler:
    """A method that may take its time; ``answer`` is given the message and the client's address."""

    def method(message: Any, context: grpc.ServicerContext) -> Any:
        try:
            return answer(message, context.peer())
        except Exception as error:
            return _abort(error, context)

    return grpc.unary_unary_rpc_method_handler(
        method,
        request_deserializer=request.FromString,
        response_serializer=lambda response: response.SerializeToString(),
    )


def _abort(error: BaseException, context: grpc.ServicerContext) -> None:
    if isinstance(error, ServingError):
        context.abort(_STATUS[error.code], shortened(error.message))
    logger.error("A request failed in an unforeseen way", exc_info=error)
    context.abort(grpc.StatusCode.INTERNAL, UNFORESEEN)


def shortened(message: str) -> str:
    """A message that is not too long for the details of a status, as TensorFlow Serving cuts it."""
    if len(message) <= _LONGEST_MESSAGE:
        return message
    return message[:_LONGEST_MESSAGE] + "...TRUNCATED"
