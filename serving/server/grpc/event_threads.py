"""Unary calls answered in the threads that take gRPC's events.

grpcio has one such thread. It hands a call to a thread of a pool, which waits until the first has
read the message: four changes of thread for each call, which cost several times what the call
itself costs. Here as many threads as answer requests take events, and each answers the call whose
message it has taken. A call that waits for a batch holds no thread: the one that ran the batch
answers it. The parts are grpcio's own, put together anew; calls with streams still go through a
pool.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any

import grpc
from grpc import _server as grpcio
from grpc._cython import cygrpc

from headrace.serving.server.grpc.handlers import Method

#: How long a thread may take to see that the server has ended.
_LOOK_SECONDS = 1.0
#: A server that begins to stop is not kept from it longer than this by new calls.
_REFUSE_SECONDS = 1.0
_QUIET_SECONDS = 0.05
_NO_MESSAGE = b"The method requires exactly one request message."
_STOPPING = b"The server is shutting down."


class EventThreads(Executor):
    """The executor to give to ``grpc.server``.

    Args:
        count: Calls answered side by side.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="grpc stream")
        self._refusing = False

    def start(self, server: grpc.Server) -> None:
        """Begins to take events, beside the thread that ``server`` has started for itself."""
        for number in range(1, self._count):
            threading.Thread(
                target=_take_events, args=(server._state,), name=f"grpc {number}", daemon=True
            ).start()

    def refuse(self, server: grpc.Server) -> None:
        """Answers calls that no thread has taken yet with UNAVAILABLE, and those that follow.

        A server that stops cancels them, and clients do not repeat a call that was cancelled.
        """
        self._refusing = True
        deadline = time.time() + _REFUSE_SECONDS
        while time.time() < deadline and _take_event(server._state, _QUIET_SECONDS):
            pass

    def submit(
        self, function: Callable[..., Any], /, *arguments: Any, **options: Any
    ) -> Future[Any]:
        """Called by grpcio for each call, in an event thread."""
        if not (arguments and arguments[0] is grpcio._unary_response_in_pool):
            return self._pool.submit(function, *arguments, **options)
        if self._refusing:
            _refuse(*arguments)
        else:
            _receive(function, *arguments)
        begun: Future[Any] = Future()
        begun.set_result(None)
        return begun


def _take_events(state: Any) -> None:
    while state.stage is not grpcio._ServerStage.STOPPED:
        _take_event(state, _LOOK_SECONDS)


def _take_event(state: Any, seconds: float) -> bool:
    """Handles the next event; whether there was one."""
    event = state.completion_queue.poll(time.time() + seconds)
    if event.completion_type == cygrpc.CompletionType.queue_timeout:
        return False
    grpcio._process_event_and_continue(state, event)
    return True


def _refuse(_: Callable[..., Any], call_event: Any, state: Any, *others: Any) -> None:
    with state.condition:
        grpcio._abort(state, call_event.call, cygrpc.StatusCode.unavailable, _STOPPING)


def _receive(
    run: Callable[..., Any],
    respond: Callable[..., Any],
    call_event: Any,
    state: Any,
    behavior: Any,
    _: Any,
    deserialize: Any,
    serialize: Any,
) -> None:
    """Asks for the message of a call; the thread that gets it answers."""
    take = grpcio._receive_message(state, call_event.call, deserialize)

    def give(argument: Any) -> None:
        run(respond, call_event, state, behavior, lambda: argument, deserialize, serialize)

    def received(event: Any) -> Any:
        finished = take(event)
        with state.condition:
            request, state.request = state.request, None
            if request is None and state.client is grpcio._CLOSED and not state.statused:
                code = cygrpc.StatusCode.unimplemented
                grpcio._abort(state, call_event.call, code, _NO_MESSAGE)
        if isinstance(behavior, Method) and request is not None:
            behavior.begin(request).add_done_callback(give)
        elif request is not None:
            give(request)
        return finished

    with state.condition:
        call_event.call.start_server_batch((cygrpc.ReceiveMessageOperation(0),), received)
        state.due.add(grpcio._RECEIVE_MESSAGE_TOKEN)
