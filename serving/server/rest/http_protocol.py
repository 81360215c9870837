"""HTTP/1.1 on one connection: httptools parses, a handler answers, in the order of requests."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

import httptools

from headrace.serving.server.rest.response import Response, page

#: Requests that may wait on a connection before it is not read any more.
_MAX_PIPELINED = 32
#: Seconds in which a client should take note of a refusal before the connection is cut.
_LINGER = 2.0

_VERBS = {"GET", "POST", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH"}
_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


@dataclass(frozen=True)
class Limits:
    """What a client may do.

    Attributes:
        head: Bytes of the request line and the headers.
        body: Bytes of the body, and of a compressed one when it is not compressed.
        receive: Seconds in which a head, or more of a body, must come, and answers be taken.
        idle: Seconds that a connection is kept without a request.
    """

    head: int = 64 * 1024
    body: int = 100 * 2**20
    receive: float = 60.0
    idle: float = 300.0


@dataclass
class Request:
    """What came; names of headers are lower-case, ``path`` is percent-encoded without a query."""

    verb: str = ""
    path: str = ""
    headers: dict[bytes, bytes] = field(default_factory=dict)
    body: bytes = b""
    http_1_0: bool = False
    keep_alive: bool = True


Respond = Callable[[Response], None]
Handler = Callable[[Request, Respond], None]


class HttpProtocol(asyncio.Protocol):
    """Parses requests, hands one after the other to ``handle``, and writes the answers.

    Args:
        handle: Answers a request by calling back, in the event loop, now or later.
        limits: What clients may do.
        connections: The open connections; this one adds and removes itself.
    """

    def __init__(self, handle: Handler, limits: Limits, connections: set[HttpProtocol]) -> None:
        self._handle = handle
        self._limits = limits
        self._connections = connections
        self._now = asyncio.get_running_loop().time
        self._parser = httptools.HttpRequestParser(self)
        self._request = Request()
        self._body: list[bytes] = []
        self._received = 0  # bytes of the head, then of the body
        self._receiving = self._in_head = False
        self._waiting: deque[Request] = deque()
        self._current: Request | None = None
        self._refusal: Response | None = None
        self._deadline: float | None = self._now() + limits.idle
        self._paused = self._finishing = self._dispatching = False

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client has connected."""
        self._transport = cast(asyncio.Transport, transport)
        self._connections.add(self)

    def connection_lost(self, error: Exception | None) -> None:
        """The client is gone; an answer still being made finds nobody."""
        self._connections.discard(self)
        self._waiting.clear()

    def data_received(self, data: bytes) -> None:
        """Some bytes have come."""
        if self._refusal is not None:
            return
        was_in_head = self._in_head
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._stay(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            self._refuse(page(400))
        if was_in_head and self._in_head:
            self._count(len(data), self._limits.head, 431)

    def pause_writing(self) -> None:
        """The client does not take its answers."""
        self._paused = True
        self._deadline = self._now() + self._limits.receive

    def resume_writing(self) -> None:
        """It does again."""
        self._paused = False
        self._next()

    # What the server calls.

    def check(self, now: float) -> None:
        """Ends the connection if its client has been too slow, or idle for too long."""
        if self._deadline is None or now < self._deadline:
            return
        if self._receiving and not self._paused and self._refusal is None:
            self._refuse(page(408))
        else:
            self._transport.abort()

    def finish(self) -> None:
        """Closes the connection as soon as what it asked is answered."""
        self._finishing = True
        if self._current is None:
            self._transport.close()

    # What the parser calls.

    def on_message_begin(self) -> None:
        """The first bytes of a request."""
        self._request = Request()
        self._body = []
        self._received = 0
        self._receiving = self._in_head = True
        if self._current is None:
            self._deadline = self._now() + self._limits.receive

    def on_url(self, url: bytes) -> None:
        """The URL, or a part of it."""
        self._request.path += url.decode(errors="surrogateescape")
        self._count(len(url), self._limits.head, 431)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header."""
        self._request.headers[name.lower()] = value
        self._count(len(name) + len(value), self._limits.head, 431)

    def on_headers_complete(self) -> None:
        """The head is there, the body, if any, is not."""
        request, parser = self._request, self._parser
        request.verb = parser.get_method().decode()
        request.path = _path(request.path)
        request.http_1_0 = parser.get_http_version() == "1.0"
        self._in_head = False
        self._received = 0
        length = request.headers.get(b"content-length", b"0")
        if int(length) > self._limits.body:
            self._refuse(page(413))
        expected = request.headers.get(b"expect")
        if expected is not None and self._refusal is None:
            if expected.lower() != b"100-continue":
                self._refuse(page(417))
            elif self._current is None and not request.http_1_0:
                self._transport.write(_CONTINUE)

    def on_body(self, data: bytes) -> None:
        """A part of the body."""
        self._body.append(data)
        if self._current is None:  # a large body may take its time, as long as it comes
            self._deadline = self._now() + self._limits.receive
        self._count(len(data), self._limits.body, 413)

    def on_message_complete(self) -> None:
        """A request is there."""
        if self._parser.should_upgrade():
            return
        self._receiving = False
        if self._refusal is not None:
            return
        self._request.body = b"".join(self._body)
        self._request.keep_alive = self._parser.should_keep_alive()
        self._body = []
        self._waiting.append(self._request)
        if len(self._waiting) == _MAX_PIPELINED:
            self._transport.pause_reading()
        self._next()

    def _stay(self, rest: bytes) -> None:
        """Takes a request as if it had no wish to go on in another protocol.

        The parser gives up at the end of such a head. Java's client sends one by default.
        """
        request = self._request
        if request.verb == "CONNECT":
            self._refuse(page(501))
            return
        head = f"{request.verb} {request.path} HTTP/1.1\r\n".encode(errors="surrogateescape")
        for name, value in request.headers.items():
            if name not in (b"upgrade", b"expect"):
                head += name + b": " + value + b"\r\n"
        self._parser = httptools.HttpRequestParser(self)
        self.data_received(head + b"\r\n" + rest)

    def _count(self, size: int, limit: int, status: int) -> None:
        self._received += size
        if self._received > limit:
            self._body = []
            self._refuse(page(status))

    # One request after the other.

    def _next(self) -> None:
        if self._dispatching:  # an answer came at once: the loop below goes on
            return
        self._dispatching = True
        while self._current is None and self._waiting and not self._held():
            if len(self._waiting) == _MAX_PIPELINED:
                self._transport.resume_reading()
            self._current = self._waiting.popleft()
            self._deadline = None
            if self._current.verb in _VERBS:
                self._handle(self._current, self._respond)
            else:
                self._respond(page(501))
        self._dispatching = False
        if self._current is None and not self._held():
            self._rest()

    def _held(self) -> bool:
        return self._paused or self._transport.is_closing()

    def _rest(self) -> None:
        """There is nothing to answer."""
        if self._refusal is not None:
            self._close_with(self._refusal)
        elif self._finishing:
            self._transport.close()
        else:
            limits = self._limits
            self._deadline = self._now() + (limits.receive if self._receiving else limits.idle)

    def _respond(self, response: Response) -> None:
        request, self._current = self._current, None
        if request is None or self._transport.is_closing():
            return
        closing = response.close or not request.keep_alive or self._finishing
        connection = b"close" if closing else b"keep-alive" if request.http_1_0 else b""
        self._transport.write(response.encode(connection, with_body=request.verb != "HEAD"))
        if closing:
            self._transport.close()
        else:
            self._next()

    def _refuse(self, response: Response) -> None:
        """Takes nothing more from the client, and says why when its turn has come."""
        if self._refusal is None:
            self._refusal = response
            self._next()

    def _close_with(self, response: Response) -> None:
        # What the client still sends is read and dropped: closing at once would take the answer
        # from it.
        self._deadline = self._now() + _LINGER
        self._transport.write(response.encode(b"close"))
        if self._transport.can_write_eof():
            self._transport.write_eof()


def _path(url: str) -> str:
    """The path of a URL without query and fragment, as it was sent."""
    if not url.startswith("/"):
        with contextlib.suppress(httptools.HttpParserInvalidURLError):
            parsed = httptools.parse_url(url.encode(errors="surrogateescape"))
            url = (parsed.path or b"/").decode(errors="surrogateescape")
    return url.partition("?")[0].partition("#")[0]
