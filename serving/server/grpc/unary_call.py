"""One call with one message each way, on grpcio's core and without its Python server.

What ``grpc.server`` does in Python for such a call costs several times what the core does, most of
it for what no method here uses: contexts, interceptors, a change of thread, an event for each part
of the call. Here a call has three events: it came, its message is there, and it is over.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Protocol

from grpc._cython import cygrpc

from headrace.serving.server import calls
from headrace.serving.server.errors import Code, ServingError
from headrace.serving.server.grpc.handlers import UNFORESEEN, shortened

logger = logging.getLogger(__name__)

_NO_FLAGS = 0
_NO_MESSAGE = "The method requires exactly one request message."


class Message(Protocol):
    """A class of protobuf messages."""

    @staticmethod
    def FromString(content: bytes) -> Any:
        """Parses a message."""


class Method:
    """A method that may wait without a thread.

    Args:
        answer: From a message to its answer, as a coroutine.
        request: The class of the message.
    """

    def __init__(
        self, answer: Callable[[Any], Coroutine[calls.Wait, None, Any]], request: type[Message]
    ) -> None:
        self._answer = answer
        self._parse = request.FromString

    def begin(self, content: bytes, give: calls.Give[bytes], run: calls.Run) -> None:
        """Answers with the serialized message; see ``calls.start``.

        Errors are ``ServingError``; whatever else was raised is one of the server, and logged.
        """
        calls.start(self._whole(content), give, run)

    async def _whole(self, content: bytes) -> bytes:
        try:
            try:
                message = self._parse(content)
            except Exception:
                raise ServingError(Code.INTERNAL, "Exception deserializing request!") from None
            answer: bytes = (await self._answer(message)).SerializeToString()
            return answer
        except ServingError:
            raise
        except Exception as error:
            logger.error("A request failed in an unforeseen way", exc_info=error)
            raise ServingError(Code.INTERNAL, UNFORESEEN) from None


#: Methods by path, for example ``b"/tensorflow.serving.PredictionService/Predict"``.
Methods = Mapping[bytes, Method]


class UnaryCall:
    """A call from its first event to its last.

    Args:
        call: grpcio's call.
    """

    __slots__ = ("_call",)

    def __init__(self, call: Any) -> None:
        self._call = call

    def receive(self, method: Method, run: calls.Run) -> None:
        """Takes the message, and begins to answer in the thread that gets it.

        Args:
            method: Answers.
            run: Is given what takes long, in the thread that gets the message.
        """

        def received(event: Any) -> tuple[None, tuple[()]]:
            content = event.batch_operations[0].message()
            if content is None:  # nothing came, or more than is allowed; or the client has gone
                self.fail(Code.UNIMPLEMENTED, _NO_MESSAGE)
                return None, ()
            try:
                method.begin(content, self._respond, run)
            except Exception:  # a call without an end would keep the server from stopping
                logger.exception("A request could not begin")
                self.fail(Code.INTERNAL, UNFORESEEN)
            return None, ()

        self._call.start_server_batch((cygrpc.ReceiveMessageOperation(_NO_FLAGS),), received)

    def fail(self, code: Code, message: str) -> None:
        """Ends the call with an error."""
        self._end((), int(code), shortened(message).encode(errors="replace"))

    def _respond(self, answer: bytes | None, error: Exception | None) -> None:
        if error is None:
            self._end((cygrpc.SendMessageOperation(answer, _NO_FLAGS),), int(Code.OK), b"")
        else:
            assert isinstance(error, ServingError)
            self.fail(error.code, error.message)

    def _end(self, message: tuple[Any, ...], code: int, details: bytes) -> None:
        operations = (
            cygrpc.SendInitialMetadataOperation(None, _NO_FLAGS),
            *message,
            cygrpc.SendStatusFromServerOperation(None, code, details, _NO_FLAGS),
            cygrpc.ReceiveCloseOnServerOperation(_NO_FLAGS),
        )
        self._call.start_server_batch(operations, self._ended)

    def _ended(self, _: Any) -> tuple[UnaryCall, tuple[()]]:
        return self, ()
