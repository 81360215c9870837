"""The feature server as a bare ASGI application: nothing between the socket and the reader."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from feast import FeatureStore

from headrace.components.shared.errors import HeadraceError
from headrace.feature_store.online.reader import OnlineReader
from headrace.feature_store.online.redis_store import READ_TIMEOUT
from headrace.feature_store.online.request import Entities
from headrace.feature_store.online.result import OnlineFeatures
from headrace.feature_store.server import wire
from headrace.feature_store.server.metrics import Metrics
from headrace.feature_store.server.push import push_to, write_to
from headrace.feature_store.server.readers import Readers

_LOGGER = logging.getLogger(__name__)
_JSON = [(b"content-type", b"application/json")]
_TEXT = [(b"content-type", b"text/plain; version=0.0.4; charset=utf-8")]

#: Seconds after which the store counts as slow, and for how long it then does.
_SLOW, _CAREFUL = 0.02, 1.0

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]
Answer = tuple[int, bytes]


class FeatureServer:
    """Answers Feast's clients: ``/get-online-features``, ``/push``, ``/write-to-online-store``.

    Besides ``/health`` (the process answers), ``/ready`` (the store does too) and ``/metrics``.
    """

    def __init__(
        self,
        store: FeatureStore,
        *,
        now: Callable[[], float] = time.time,
        timeout: float = READ_TIMEOUT,
        threads: int = 8,
    ) -> None:
        """Prepares a server.

        Args:
            store: Feast's feature store.
            now: The moment for which features are asked, in seconds since 1970.
            timeout: Seconds an answer of the store may take, unless its connection string says.
            threads: Requests that wait for a slow store at the same time.
        """
        self._readers = Readers(store, now=now, timeout=timeout)
        self._metrics = Metrics()
        self._reading = ThreadPoolExecutor(threads, thread_name_prefix="read")
        self._careful_until = 0.0
        # Apart, so that a large push does not keep requests waiting.
        self._writing = ThreadPoolExecutor(2, thread_name_prefix="write")
        self._routes: dict[tuple[str, str], Callable[[bytes], Awaitable[Answer]]] = {
            ("POST", "/get-online-features"): self._features,
            ("POST", "/push"): self._push,
            ("POST", "/write-to-online-store"): self._write,
            ("GET", "/health"): self._health,
            ("GET", "/ready"): self._ready,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request, or follows the server's start and end."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        start = time.perf_counter()
        method, path = scope["method"], scope["path"]
        body = await _body(receive)
        if (method, path) == ("GET", "/metrics"):
            return await _reply(send, 200, self._metrics.text(), _TEXT)
        route = self._routes.get((method, path))
        if route is None:
            known = any(path == other for _, other in self._routes)
            status = 405 if known else 404
            return await _reply(send, status, wire.encode({"detail": f"No {method} {path}."}))
        status, content = await _guarded(route, body)
        self._metrics.request(path, status, time.perf_counter() - start)
        await _reply(send, status, content)

    async def _features(self, body: bytes) -> Answer:
        request = wire.parse_features(wire.parse_json(body))
        reader = self._readers.get(request.features, full=request.full)
        found = await self._read(reader, request.entities)
        versions = _versions(reader) if request.versions else None
        content, missing = wire.answer(found, versions)
        rows = len(found.values[0]) if found.values else 0
        self._metrics.features(found, rows, missing)
        return 200, content

    async def _read(self, reader: OnlineReader, entities: Entities) -> OnlineFeatures:
        """Reads at once while the store is quick, in threads while it is not.

        A quick look-up takes less time than handing it to a thread; a slow one would keep all
        other requests waiting.
        """
        start = time.monotonic()
        try:
            if reader.fallback is None and start >= self._careful_until:
                return reader.read(entities)
            return await self._in(self._reading, reader.read, entities)  # type: ignore[no-any-return]
        finally:
            end = time.monotonic()
            if end - start > _SLOW:
                self._careful_until = end + _CAREFUL

    async def _push(self, body: bytes) -> Answer:
        return await self._written(push_to, body)

    async def _write(self, body: bytes) -> Answer:
        return await self._written(write_to, body)

    async def _written(self, write: Callable[..., Any], body: bytes) -> Answer:
        request = wire.parse_json(body)
        results = await self._in(self._writing, write, self._readers.store, request)
        for view, result in results.items():
            self._metrics.written(view, result.written, result.skipped_older)
        return 200, b""

    async def _health(self, body: bytes) -> Answer:
        return 200, b""

    async def _ready(self, body: bytes) -> Answer:
        await self._in(self._reading, self._readers.check)
        return 200, b""

    async def _in(self, pool: ThreadPoolExecutor, do: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(pool, do, *arguments)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.shutdown":
                self._reading.shutdown()
                self._writing.shutdown()
                self._readers.close()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return


async def _guarded(route: Callable[[bytes], Awaitable[Answer]], body: bytes) -> Answer:
    """The route's answer, or what went wrong as JSON."""
    try:
        return await route(body)
    except HeadraceError as error:
        if error.http_status >= 500:
            _LOGGER.error("%s", error)
        return error.http_status, wire.encode({"detail": error.message, "fix": error.fix})
    except Exception as error:
        _LOGGER.exception("a request failed")
        return 500, wire.encode({"detail": f"{type(error).__name__}: {error}"})


async def _body(receive: Receive) -> bytes:
    message = await receive()
    body: bytes = message.get("body", b"")
    while message.get("more_body"):
        message = await receive()
        body += message.get("body", b"")
    return body


async def _reply(
    send: Send, status: int, content: bytes, headers: list[tuple[bytes, bytes]] = _JSON
) -> None:
    length = (b"content-length", b"%d" % len(content))
    await send({"type": "http.response.start", "status": status, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": content})


def _versions(reader: OnlineReader) -> list[dict[str, Any]]:
    """The versions of the views that were read; Feast leaves out a zero."""
    entries = []
    for group in reader.plan.groups:
        for plan in group.views:
            projection = plan.view.projection
            entry: dict[str, Any] = {"name": projection.name_alias or projection.name}
            if version := getattr(plan.view, "current_version_number", 0):
                entry["version"] = version
            entries.append(entry)
    return entries


def serve(
    store: FeatureStore,
    *,
    host: str = "127.0.0.1",
    port: int = 6566,
    now: Callable[[], float] = time.time,
    timeout: float = READ_TIMEOUT,
) -> None:
    """Serves until it is interrupted.

    Args:
        store: Feast's feature store.
        host: Where to listen.
        port: Where to listen; Feast's own server uses 6566.
        now: The moment for which features are asked, in seconds since 1970.
        timeout: Seconds an answer of the store may take, unless its connection string says.
    """
    import uvicorn

    app = FeatureServer(store, now=now, timeout=timeout)
    uvicorn.run(app, host=host, port=port, log_level="warning", access_log=False)
