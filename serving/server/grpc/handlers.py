"""From a function that raises ``ServingError`` to a gRPC method."""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any

import grpc

from headrace.serving.server import calls
from headrace.serving.server.errors import Code, ServingError

logger = logging.getLogger(__name__)

_LONGEST_MESSAGE = 1024
_STATUS = {code: getattr(grpc.StatusCode, code.name) for code in Code}


class Method:
    """A unary method that may wait without a thread: grpcio is called when the answer is there.

    Args:
        answer: From a message to its answer, as a coroutine.
    """

    def __init__(self, answer: Callable[[Any], Coroutine[calls.Wait, None, Any]]) -> None:
        self._answer = answer

    def begin(self, message: Any) -> Future[Any]:
        """The answer to come."""
        return calls.start(self._answer(message))

    def __call__(self, answer: Future[Any], context: grpc.ServicerContext) -> Any:
        """What grpcio calls: the answer, or its error as gRPC's status."""
        error = answer.exception()
        return answer.result() if error is None else _abort(error, context)


def handler(
    answer: Callable[[Any], Coroutine[calls.Wait, None, Any]], request: Any
) -> grpc.RpcMethodHandler:
    """A method that takes messages of type ``request``; errors become gRPC's status."""
    return _handler(Method(answer), request)


def blocking_handler(answer: Callable[[Any, str], Any], request: Any) -> grpc.RpcMethodHandler:
    """The same for a function that is also given the client's address."""

    def method(message: Any, context: grpc.ServicerContext) -> Any:
        try:
            return answer(message, context.peer())
        except Exception as error:
            return _abort(error, context)

    return _handler(method, request)


def _handler(method: Any, request: Any) -> grpc.RpcMethodHandler:
    return grpc.unary_unary_rpc_method_handler(
        method,
        request_deserializer=request.FromString,
        response_serializer=_serialized,
    )


def _abort(error: BaseException, context: grpc.ServicerContext) -> None:
    if isinstance(error, ServingError):
        context.abort(_STATUS[error.code], _shortened(error.message))
    logger.error("A request failed in an unforeseen way", exc_info=error)
    context.abort(grpc.StatusCode.INTERNAL, "Internal error; see the server's log.")


def _serialized(message: Any) -> bytes:
    content: bytes = message.SerializeToString()
    return content


def _shortened(message: str) -> str:
    if len(message) <= _LONGEST_MESSAGE:
        return message
    return message[:_LONGEST_MESSAGE] + "...TRUNCATED"
