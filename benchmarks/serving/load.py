"""Load on a server: ``python -m benchmarks.serving.load PROTOCOL PORT PATH CONCURRENCY SECONDS``.

The body of every request comes on standard input; PROTOCOL is ``grpc`` or ``http``. Prints what
``Load`` holds as JSON. There are always CONCURRENCY requests under way: the next is sent when an
answer is there. An answer that is an error ends the measurement.

The bytes of a request are made once, and the client speaks just enough HTTP/2 to send them: a
client of grpcio needs as much of the processor as the server, and would measure itself.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import struct
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import cast

import uvloop

#: Requests under way on one connection of HTTP/2.
STREAMS = 8
#: Answers of the first part of the time are not counted.
WARM_UP = 0.2
#: Answers that are measured at least, for the percentiles.
FEWEST = 100
_LONGEST = 60.0

_DATA, _HEADERS, _SETTINGS, _PING, _GO_AWAY, _WINDOW_UPDATE = 0, 1, 4, 6, 7, 8
_END_STREAM, _END_HEADERS, _ACK = 1, 4, 1
_LARGEST_WINDOW = 2**31 - 1
_FIRST_WINDOW = 2**16 - 1


@dataclass(frozen=True)
class Load:
    """What a server did.

    Attributes:
        rate: Requests per second.
        p50: Median of the seconds that an answer took.
        p99: The 99th percentile of them.
    """

    rate: float
    p50: float
    p99: float


class Http(asyncio.Protocol):
    """One connection of HTTP/1.1, one request at a time.

    Args:
        path: What to ask.
        body: The body, JSON.
        answered: Is told the seconds that each answer took.
        failed: Is told what went wrong.
    """

    def __init__(
        self,
        path: str,
        body: bytes,
        answered: Callable[[float], None],
        failed: Callable[[Exception], None],
    ) -> None:
        head = (
            f"POST {path} HTTP/1.1\r\nHost: localhost\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self._message = head.encode() + body
        self._answered = answered
        self._failed = failed
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Sends the first request."""
        self._transport = cast(asyncio.Transport, transport)
        self._send()

    def data_received(self, data: bytes) -> None:
        """Sends the next request when an answer is whole."""
        self._received += data
        head, end, content = self._received.partition(b"\r\n\r\n")
        if not end:
            return
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
        if len(content) < length:
            return
        if not head.startswith(b"HTTP/1.1 200"):
            self._failed(RuntimeError(f"{head!r} {content!r}"))
            return
        self._received = b""
        self._answered(time.perf_counter() - self._start)
        self._send()

    def connection_lost(self, error: Exception | None) -> None:
        """The server has gone away."""
        self._failed(error or ConnectionError("The server closed the connection."))

    def _send(self) -> None:
        self._start = time.perf_counter()
        self._transport.write(self._message)


class Grpc(asyncio.Protocol):
    """One connection of HTTP/2 with several requests under way.

    Args:
        path: The method.
        body: The serialized request.
        streams: How many requests are under way.
        answered: Is told the seconds that each answer took.
        failed: Is told what went wrong.
    """

    def __init__(
        self,
        path: str,
        body: bytes,
        streams: int,
        answered: Callable[[float], None],
        failed: Callable[[Exception], None],
    ) -> None:
        self._first_head, self._head = _head_blocks(path)
        self._body = b"\x00" + struct.pack(">I", len(body)) + body
        self._streams = streams
        self._answered = answered
        self._failed = failed
        self._received = b""
        self._window = _FIRST_WINDOW
        self._next = 1
        self._held = 0
        self._started: dict[int, float] = {}
        self._with_data: set[int] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Sends the first requests."""
        self._transport = cast(asyncio.Transport, transport)
        settings = struct.pack(">HI", 4, _LARGEST_WINDOW)
        more = struct.pack(">I", _LARGEST_WINDOW - _FIRST_WINDOW)
        self._transport.write(
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
            + _frame(_SETTINGS, 0, 0, settings)
            + _frame(_WINDOW_UPDATE, 0, 0, more)
        )
        for _ in range(self._streams):
            self._send()

    def data_received(self, data: bytes) -> None:
        """Reads frames."""
        received = self._received + data if self._received else data
        at, end = 0, len(received)
        while end - at >= 9:
            size = int.from_bytes(received[at : at + 3], "big")
            if end - at < 9 + size:
                break
            stream = int.from_bytes(received[at + 5 : at + 9], "big")
            self._take(received[at + 3], received[at + 4], stream, received[at + 9 : at + 9 + size])
            at += 9 + size
        self._received = received[at:]

    def connection_lost(self, error: Exception | None) -> None:
        """The server has gone away."""
        self._failed(error or ConnectionError("The server closed the connection."))

    def _take(self, kind: int, flags: int, stream: int, payload: bytes) -> None:
        if kind == _DATA:
            self._with_data.add(stream)
        elif kind == _HEADERS and flags & _END_STREAM:
            self._end(stream)
        elif kind == _WINDOW_UPDATE and not stream:
            self._window += int.from_bytes(payload, "big")
            while self._held and self._window >= len(self._body):
                self._held -= 1
                self._send()
        elif kind in (_SETTINGS, _PING) and not flags & _ACK:
            self._transport.write(_frame(kind, _ACK, 0, payload if kind == _PING else b""))
        elif kind == _GO_AWAY:
            self._failed(ConnectionError(f"The server ends: {payload!r}"))

    def _end(self, stream: int) -> None:
        # An error has trailers and no message.
        if stream not in self._with_data:
            self._failed(RuntimeError("The server answered with an error."))
            return
        self._with_data.remove(stream)
        self._answered(time.perf_counter() - self._started.pop(stream))
        self._send()

    def _send(self) -> None:
        if self._window < len(self._body):
            self._held += 1
            return
        stream, self._next = self._next, self._next + 2
        head = self._head if stream > 1 else self._first_head
        self._window -= len(self._body)
        self._started[stream] = time.perf_counter()
        self._transport.write(
            _frame(_HEADERS, _END_HEADERS, stream, head)
            + _frame(_DATA, _END_STREAM, stream, self._body)
        )


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return struct.pack(">IBI", len(payload) << 8 | kind, flags, stream) + payload


def _head_blocks(path: str) -> tuple[bytes, bytes]:
    """HPACK of the headers: as they are and to be remembered, then by their numbers."""
    headers = {
        ":method": "POST",
        ":scheme": "http",
        ":path": path,
        ":authority": "localhost",
        "te": "trailers",
        "content-type": "application/grpc",
    }
    first = b"".join(b"\x40" + _text(name) + _text(value) for name, value in headers.items())
    # The table of the connection begins behind the static one, with the newest entry.
    return first, bytes(0x80 | 61 + number for number in range(len(headers), 0, -1))


def _text(text: str) -> bytes:
    return bytes([len(text)]) + text.encode()


async def run(
    protocol: str, port: int, path: str, concurrency: int, seconds: float, body: bytes
) -> Load:
    """Keeps ``concurrency`` requests under way for ``seconds`` after a warm-up."""
    loop = asyncio.get_running_loop()
    failure: asyncio.Future[None] = loop.create_future()
    times: list[float] = []

    def failed(error: Exception) -> None:
        if not failure.done():
            failure.set_exception(error)

    streams = STREAMS if protocol == "grpc" else 1
    for first in range(0, concurrency, streams):
        if protocol == "grpc":
            count = min(streams, concurrency - first)
            make = lambda count=count: Grpc(path, body, count, times.append, failed)  # noqa: E731
        else:
            make = lambda: Http(path, body, times.append, failed)  # noqa: E731
        await loop.create_connection(make, "127.0.0.1", port)
    await _answers(times, concurrency, seconds * WARM_UP, failure)
    times.clear()
    start = time.perf_counter()
    await _answers(times, FEWEST, seconds, failure)
    elapsed = time.perf_counter() - start
    taken = statistics.quantiles(times, n=100)
    return Load(len(times) / elapsed, taken[49], taken[98])


async def _answers(
    times: list[float], fewest: int, seconds: float, failure: asyncio.Future[None]
) -> None:
    """Waits for ``seconds``, and on until there are enough answers: a first call takes long."""
    end = time.perf_counter() + _LONGEST
    await asyncio.wait([failure], timeout=seconds)
    while len(times) < fewest and not failure.done():
        if time.perf_counter() > end:
            raise TimeoutError(f"{len(times)} answers in {_LONGEST} seconds")
        await asyncio.wait([failure], timeout=0.05)
    if failure.done():
        failure.result()


if __name__ == "__main__":
    _protocol, _port, _path, _concurrency, _seconds = sys.argv[1:]
    _body = sys.stdin.buffer.read()
    _done = uvloop.run(run(_protocol, int(_port), _path, int(_concurrency), float(_seconds), _body))
    print(json.dumps(asdict(_done)))
