"""The threads that take a gRPC server's events, in place of the one that grpcio has.

One of them leads: it alone takes events, for threads that do so together would wait for each other
more than they work. It begins to answer the calls that it takes. When one needs the model, the next
thread leads, and the one that led runs the model and answers. A call that joins a batch holds no
thread: the one that runs the batch answers it. Calls of other services (reflection, health, the
profiler) go grpcio's own way, through its pool.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from typing import Any

import grpc
from grpc import _server as grpcio
from grpc._cython import cygrpc

from headrace.serving.server import calls
from headrace.serving.server.errors import Code
from headrace.serving.server.grpc.unary_call import Methods, UnaryCall

logger = logging.getLogger(__name__)

#: How long a thread may take to see that the server has ended.
_LOOK_SECONDS = 1.0
#: A server that begins to stop is not kept from it longer than this by new calls.
_REFUSE_SECONDS = 1.0
_QUIET_SECONDS = 0.05
_STOPPING = "The server is shutting down."


class EventThreads:
    """Runs a server of grpcio that has not been started.

    Args:
        server: The server.
        methods: What is answered here; the server has handlers for the rest.
        count: How often the model runs side by side, when requests are not merged.
    """

    def __init__(self, server: grpc.Server, methods: Methods, count: int) -> None:
        self._state: Any = server._state
        self._methods = methods
        self._count = count
        self._leading = threading.Lock()
        self._jobs: deque[calls.Job] = deque()
        self._refusing = False

    def start(self) -> None:
        """Opens the server's ports, as its own ``start`` does, and begins to take events."""
        with self._state.lock:
            self._state.server.start()
            self._state.stage = grpcio._ServerStage.STARTED
            for method in self._state.registered_method_handlers:
                grpcio._request_registered_call(self._state, method)
            grpcio._request_call(self._state)
        for number in range(self._count + 1):
            threading.Thread(target=self._work, name=f"grpc {number}", daemon=True).start()

    def refuse(self) -> None:
        """Answers calls that no thread has taken yet with UNAVAILABLE, and those that follow.

        A server that stops cancels them, and clients do not repeat a call that was cancelled.
        """
        self._refusing = True
        deadline = time.time() + _REFUSE_SECONDS
        while time.time() < deadline and self._take_event(_QUIET_SECONDS):
            if (job := self._next_job()) is not None:
                job()

    def _work(self) -> None:
        while self._state.stage is not grpcio._ServerStage.STOPPED:
            try:
                if (job := self._lead()) is not None:
                    job()
            except Exception:  # the other calls still need this thread
                logger.exception("A call failed in an unforeseen way")

    def _lead(self) -> calls.Job | None:
        """Takes events until there is something to run; None when the server has ended."""
        with self._leading:
            while self._state.stage is not grpcio._ServerStage.STOPPED:
                if (job := self._next_job()) is not None:
                    return job
                self._take_event(_LOOK_SECONDS)
        return None

    def _next_job(self) -> calls.Job | None:
        try:
            return self._jobs.popleft() if self._jobs else None
        except IndexError:  # the thread that stops the server was faster
            return None

    def _take_event(self, seconds: float) -> bool:
        """Handles the next event; whether there was one."""
        event = self._state.completion_queue.poll(time.time() + seconds)
        if event.completion_type == cygrpc.CompletionType.queue_timeout:
            return False
        method = None
        if event.tag is grpcio._REQUEST_CALL_TAG and event.success:
            method = self._methods.get(event.call_details.method)
        if method is None:
            grpcio._process_event_and_continue(self._state, event)
            return True
        call = UnaryCall(event.call)
        with self._state.lock:
            self._state.due.remove(grpcio._REQUEST_CALL_TAG)
            self._state.rpc_states.add(call)  # the server does not end before the call
            if self._state.stage is grpcio._ServerStage.STARTED:
                grpcio._request_call(self._state)
        if self._refusing:
            call.fail(Code.UNAVAILABLE, _STOPPING)
        else:
            call.receive(method, self._jobs.append)
        return True
