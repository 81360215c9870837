"""The REST port: an event loop that reads and writes, and threads that answer."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import socket
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import uvloop

from headrace.serving.server import calls
from headrace.serving.server.errors import Code, ServingError
from headrace.serving.server.inference import InferenceOptions
from headrace.serving.server.metrics import DEFAULT_PATH, Metrics
from headrace.serving.server.rest import documents, routes
from headrace.serving.server.rest.api import RestApi
from headrace.serving.server.rest.http_protocol import HttpProtocol, Limits, Request, Respond
from headrace.serving.server.rest.response import TEXT, Response, error, page
from headrace.serving.server.seam import Models, Observer, RequestLog, VersionStatus

_SWEEP_SECONDS = 1.0
_DRAIN_SECONDS = 0.02
_BACKLOG = 1024
#: Bytes that the event loop reads between two connections; a longer document needs a thread.
_SHORT_BODY = 64 * 1024
_TOO_LATE = ServingError(Code.DEADLINE_EXCEEDED, "Timed out waiting for notification")


@dataclass(frozen=True)
class RestOptions:
    """How the REST port behaves.

    Attributes:
        port: 0 for any free one.
        threads: Requests that are answered at the same time.
        timeout: Seconds that an answer may take; 0 or less for any time.
        cors: Whether web pages from elsewhere may read answers.
        metrics_path: Where the metrics are, if there are any.
        limits: What clients may send.
        batching: Whether requests are merged, so that few of them need a thread.
    """

    port: int = 0
    threads: int = 8
    timeout: float = 30.0
    cors: bool = False
    metrics_path: str = DEFAULT_PATH
    limits: Limits = field(default_factory=Limits)
    batching: bool = False


@dataclass(slots=True)
class _Pending:
    """A request that waits for its answer; belongs to the event loop.

    Attributes:
        request: What came.
        respond: Takes the answer.
        timer: Ends the wait.
        answered: Whether ``respond`` has been called; it is called once.
    """

    request: Request
    respond: Respond
    timer: asyncio.TimerHandle | None = None
    answered: bool = False

    def finish(self, response: Response) -> None:
        """Answers, unless the time was over."""
        if self.answered:
            return
        self.answered = True
        if self.timer is not None:
            self.timer.cancel()
        self.respond(response)


class RestFrontEnd:
    """TensorFlow Serving's REST API on a port; implements the seam's ``FrontEnd``.

    Besides it ``/healthz`` (the process answers), ``/readyz`` (every model has an available
    version), ``/models`` (all of them with their versions) and the metrics.

    Args:
        models: The server's models.
        observer: Is told of each request.
        options: Port, threads, limits.
        inference_options: What flags change about answers.
        metrics: What is shown on ``options.metrics_path``; None to show nothing.
        log: Takes samples of requests, if there is one.

    Raises:
        ServingError: UNAVAILABLE, the port is taken or not allowed.
    """

    def __init__(
        self,
        models: Models,
        observer: Observer,
        options: RestOptions,
        inference_options: InferenceOptions,
        metrics: Metrics | None = None,
        log: RequestLog | None = None,
    ) -> None:
        self._models = models
        self._options = options
        self._api = RestApi(
            models,
            observer,
            inference_options,
            cors=options.cors,
            max_body=options.limits.body,
            log=log,
        )
        self._own: dict[str, Callable[[], Response]] = {
            "/healthz": lambda: Response(200, b'{"status": "alive"}\n'),
            "/readyz": self._ready,
            "/models": self._list_models,
        }
        if metrics is not None:
            self._own[options.metrics_path] = lambda: Response(
                200, metrics.text().encode(errors="replace"), (TEXT,)
            )
        self._connections: set[HttpProtocol] = set()
        self._too_late = self._api.failure(_TOO_LATE)
        self._socket = _listen(options.port)
        self._loop: asyncio.AbstractEventLoop = uvloop.new_event_loop()
        self._workers = ThreadPoolExecutor(options.threads, thread_name_prefix="rest worker")
        self._thread = threading.Thread(target=self._loop.run_forever, name="rest", daemon=True)

    @property
    def address(self) -> str:
        """See ``seam.FrontEnd.address``."""
        return f"localhost:{self._socket.getsockname()[1]}"

    def start(self) -> None:
        """See ``seam.FrontEnd.start``."""
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(self._open(), self._loop).result()

    def stop(self, grace: float) -> None:
        """See ``seam.FrontEnd.stop``."""
        asyncio.run_coroutine_threadsafe(self._close(grace), self._loop).result()
        self._workers.shutdown(wait=False, cancel_futures=True)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _open(self) -> asyncio.Server:
        self._sweep()
        return await self._loop.create_server(
            lambda: HttpProtocol(self._handle, self._options.limits, self._connections),
            sock=self._socket,
            backlog=_BACKLOG,
        )

    async def _close(self, grace: float) -> None:
        self._server.close()
        end = self._loop.time() + grace
        for connection in list(self._connections):
            connection.finish()
        while self._connections and self._loop.time() < end:
            await asyncio.sleep(_DRAIN_SECONDS)

    def _sweep(self) -> None:
        now = self._loop.time()
        for connection in list(self._connections):
            connection.check(now)
        self._loop.call_later(_SWEEP_SECONDS, self._sweep)

    def _handle(self, request: Request, respond: Respond) -> None:
        own = self._own.get(request.path)
        if own is not None:
            allowed = request.verb in ("GET", "HEAD")
            respond(own() if allowed else error(405, f"{request.path} answers GET only"))
        elif routes.is_api(request.path):
            self._begin(request, respond)
        else:
            respond(page(404))

    def _begin(self, request: Request, respond: Respond) -> None:
        """Has a request answered, or says after ``timeout`` seconds that it takes too long."""
        pending = _Pending(request, respond)
        if self._options.timeout > 0:
            pending.timer = self._loop.call_later(
                self._options.timeout, pending.finish, self._too_late
            )
        if self._options.batching and len(request.body) <= _SHORT_BODY:
            self._answer(pending, self._workers.submit)
        else:
            self._workers.submit(self._answer, pending, calls.here)

    def _answer(self, pending: _Pending, run: calls.Run) -> None:
        if not pending.answered:  # too late otherwise: nobody waits any more
            give = functools.partial(self._give, pending)
            calls.start(self._api.answer(pending.request), give, run)

    def _give(self, pending: _Pending, response: Response | None, _: Exception | None) -> None:
        assert response is not None  # errors are answers too
        with contextlib.suppress(RuntimeError):  # the loop has been closed meanwhile
            self._loop.call_soon_threadsafe(pending.finish, response)

    def _ready(self) -> Response:
        if self._models.ready():
            return Response(200, b'{"status": "ready"}\n')
        return Response(503, b'{"status": "not ready"}\n')

    def _list_models(self) -> Response:
        names = self._models.names()
        return Response(200, documents.models({name: self._versions(name) for name in names}))

    def _versions(self, name: str) -> list[VersionStatus]:
        try:
            return self._models.status(name)
        except ServingError:  # configured, but no version has been seen
            return []


def _listen(port: int) -> socket.socket:
    """All addresses: IPv6 and IPv4 where there is IPv6, else IPv4."""
    try:
        if socket.has_dualstack_ipv6():
            with contextlib.suppress(OSError):
                return socket.create_server(
                    ("::", port), family=socket.AF_INET6, dualstack_ipv6=True
                )
        return socket.create_server(("0.0.0.0", port))
    except OSError as error:
        raise ServingError(Code.UNAVAILABLE, f"Cannot listen at port {port}: {error}") from None
