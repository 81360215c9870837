"""From a function that raises ``ServingError`` to a gRPC method."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import grpc

from headrace.serving.server.errors import Code, ServingError

logger = logging.getLogger(__name__)

_LONGEST_MESSAGE = 1024
_STATUS = {code: getattr(grpc.StatusCode, code.name) for code in Code}


def handler(
    answer: Callable[..., Any], request: Any, *, with_peer: bool = False
) -> grpc.RpcMethodHandler:
    """A method that takes messages of type ``request``; errors become gRPC's status.

    ``with_peer`` also gives ``answer`` the client's address.
    """

    def method(message: Any, context: grpc.ServicerContext) -> Any:
        try:
            return answer(message, context.peer()) if with_peer else answer(message)
        except ServingError as error:
            context.abort(_STATUS[error.code], _shortened(error.message))
        except Exception:
            logger.exception("A request failed in an unforeseen way")
            context.abort(grpc.StatusCode.INTERNAL, "Internal error; see the server's log.")

    return grpc.unary_unary_rpc_method_handler(
        method,
        request_deserializer=request.FromString,
        response_serializer=_serialized,
    )


def _serialized(message: Any) -> bytes:
    content: bytes = message.SerializeToString()
    return content


def _shortened(message: str) -> str:
    if len(message) <= _LONGEST_MESSAGE:
        return message
    return message[:_LONGEST_MESSAGE] + "...TRUNCATED"
