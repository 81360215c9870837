"""HTTP over real sockets: what a connection accepts, refuses, and how it ends."""

from __future__ import annotations

import asyncio
import re
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future

import pytest
import uvloop

from headrace.serving.server.rest.http_protocol import HttpProtocol, Limits, Request, Respond
from headrace.serving.server.rest.response import Response

LIMITS = Limits(head=2_000, body=10_000, receive=0.4, idle=0.8)
SWEEP = 0.05


class Echo:
    """Answers with verb, path and body; a body that begins with ``later`` waits for ``go``."""

    def __init__(self) -> None:
        self.loop = uvloop.new_event_loop()
        self.go = threading.Event()
        self.connections: set[HttpProtocol] = set()
        self.thread = threading.Thread(target=self.loop.run_forever)
        self.thread.start()
        started = asyncio.run_coroutine_threadsafe(self._start(), self.loop)
        self.port: int = started.result().sockets[0].getsockname()[1]

    async def _start(self) -> asyncio.Server:
        self._sweep()
        return await self.loop.create_server(
            lambda: HttpProtocol(self._handle, LIMITS, self.connections), "127.0.0.1", 0
        )

    def _sweep(self) -> None:
        for connection in list(self.connections):
            connection.check(self.loop.time())
        self.loop.call_later(SWEEP, self._sweep)

    def _handle(self, request: Request, respond: Respond) -> None:
        response = Response(200, f"{request.verb} {request.path} ".encode() + request.body)
        if not request.body.startswith(b"later"):
            return respond(response)
        waiting: Future[bool] = Future()
        waiting.add_done_callback(lambda _: self.loop.call_soon_threadsafe(respond, response))
        threading.Thread(target=lambda: waiting.set_result(self.go.wait(10))).start()

    def finish(self) -> None:
        for connection in list(self.connections):
            self.loop.call_soon_threadsafe(connection.finish)

    def close(self) -> None:
        self.go.set()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()


@pytest.fixture
def echo() -> Iterator[Echo]:
    server = Echo()
    yield server
    server.close()


class Client:
    """A socket that reads answers one by one."""

    def __init__(self, echo: Echo) -> None:
        self.socket = socket.create_connection(("127.0.0.1", echo.port), timeout=10)
        self.stream = self.socket.makefile("rb")

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def answer(self, with_body: bool = True) -> tuple[int, dict[str, str], bytes]:
        status = int(self.stream.readline().split()[1])
        headers = {}
        while (line := self.stream.readline().decode().strip()) != "":
            name, _, value = line.partition(": ")
            headers[name.lower()] = value
        length = int(headers.get("content-length", 0)) if with_body else 0
        return status, headers, self.stream.read(length)

    def closed(self) -> bool:
        return self.stream.read() == b""


@pytest.fixture
def client(echo: Echo) -> Iterator[Client]:
    one = Client(echo)
    yield one
    one.socket.close()


def get(path: str = "/", *headers: str) -> bytes:
    return "".join(f"{line}\r\n" for line in (f"GET {path} HTTP/1.1", *headers, "")).encode()


def post(body: bytes, *headers: str) -> bytes:
    lines = ("POST / HTTP/1.1", f"Content-Length: {len(body)}", *headers, "")
    return "".join(f"{line}\r\n" for line in lines).encode() + body


def test_a_connection_is_kept_for_the_next_request(client: Client) -> None:
    for path in ("/a", "/b"):
        client.send(get(path))
        assert client.answer()[::2] == (200, f"GET {path} ".encode())


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("/a%20b?x=1/2", "/a%20b"),
        ("/a#f?x", "/a"),
        ("http://host:1/a/b?c", "/a/b"),
        ("/a//b/../c", "/a//b/../c"),
        ("*", "*"),
    ],
)
def test_the_path_is_taken_as_sent_without_query(client: Client, url: str, path: str) -> None:
    verb = "OPTIONS" if url == "*" else "GET"
    client.send(f"{verb} {url} HTTP/1.1\r\n\r\n".encode())
    assert client.answer()[2] == f"{verb} {path} ".encode()


def test_pipelined_requests_are_answered_in_order(echo: Echo, client: Client) -> None:
    client.send(post(b"later") + b"".join(get(f"/{number}") for number in range(3_000)))
    echo.go.set()
    assert client.answer()[2] == b"POST / later"
    assert [client.answer()[2] for _ in range(3_000)] == [
        f"GET /{number} ".encode() for number in range(3_000)
    ]


def test_a_request_may_come_byte_by_byte(client: Client) -> None:
    for byte in post(b"hello"):
        client.send(bytes([byte]))
    assert client.answer()[2] == b"POST / hello"


def test_chunked_bodies_are_put_together(client: Client) -> None:
    client.send(
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"5\r\nhello\r\n6;x=1\r\n world\r\n0\r\n\r\n"
    )
    assert client.answer()[2] == b"POST / hello world"


def test_the_body_is_asked_for_when_the_client_expects_that(client: Client) -> None:
    head, _, body = post(b"hello", "Expect: 100-continue").partition(b"\r\n\r\n")
    client.send(head + b"\r\n\r\n")
    assert client.answer()[0] == 100
    client.send(body)
    assert client.answer()[::2] == (200, b"POST / hello")


def test_a_body_that_is_too_large_is_not_asked_for(client: Client) -> None:
    client.send(b"POST / HTTP/1.1\r\nContent-Length: 10001\r\nExpect: 100-continue\r\n\r\n")
    assert client.answer()[0] == 413
    assert client.closed()


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"POST / HTTP/1.1\r\nContent-Length: 10001\r\n\r\n", 413),
        (post(b"x" * 20_000), 413),
        (
            b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
            + (b"1388\r\n" + b"x" * 5000 + b"\r\n") * 3,
            413,
        ),
        (get("/" + "x" * 3_000), 431),
        (get("/", *[f"X-{number}: {'y' * 100}" for number in range(30)]), 431),
        (get("/", "Expect: the unexpected"), 417),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
        (b"GET / HTTP/1.1\r\nContent-Length: -1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"TRACE / HTTP/1.1\r\n\r\n", 501),
        (b"CONNECT host:80 HTTP/1.1\r\n\r\n", 501),
    ],
)
def test_what_is_not_allowed_is_refused(client: Client, request_bytes: bytes, status: int) -> None:
    client.send(request_bytes)
    got, headers, body = client.answer()
    assert got == status
    assert headers["connection"] == "close"
    assert re.search(rb"<TITLE>%d " % status, body)
    assert client.closed()


def test_a_head_that_does_not_end_is_refused(client: Client) -> None:
    client.send(b"GET / HTTP/1.1\r\nX: ")
    for _ in range(4):
        client.send(b"y" * 1_000)
        time.sleep(SWEEP)
    assert client.answer()[0] == 431


def test_requests_before_a_refusal_are_answered(echo: Echo, client: Client) -> None:
    client.send(post(b"later") + b"nonsense\r\n\r\n")
    echo.go.set()
    assert client.answer()[::2] == (200, b"POST / later")
    assert client.answer()[0] == 400


def test_a_request_that_does_not_come_whole_in_time_is_refused(client: Client) -> None:
    client.send(post(b"hello")[:-1])
    assert client.answer()[0] == 408
    assert client.closed()


def test_an_idle_connection_is_closed_without_a_word(client: Client) -> None:
    client.send(get())
    client.answer()
    assert client.closed()


def test_a_slow_answer_is_waited_for(echo: Echo, client: Client) -> None:
    client.send(post(b"later"))
    threading.Timer(1.5, echo.go.set).start()
    assert client.answer()[0] == 200


def test_head_gets_no_body(client: Client) -> None:
    client.send(b"HEAD / HTTP/1.1\r\n\r\n" + get("/x"))
    assert client.answer(with_body=False)[1]["content-length"] == "7"
    assert client.answer()[2] == b"GET /x "


@pytest.mark.parametrize(
    ("head", "kept"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", True),
        (b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n", False),
        (b"GET / HTTP/1.0\r\n\r\n", False),
        (b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", True),
    ],
)
def test_the_client_says_whether_a_connection_is_kept(
    client: Client, head: bytes, kept: bool
) -> None:
    client.send(head)
    status, headers, _ = client.answer()
    assert status == 200
    assert (headers.get("connection") == "close") is not kept
    assert ("connection" in headers) is (b"1.0" in head or not kept)


def test_a_wish_for_another_protocol_is_ignored(client: Client) -> None:
    for _ in range(2):
        wish = "Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABk"
        client.send(post(b"hello", *wish))
        assert client.answer()[::2] == (200, b"POST / hello")
    client.send(get("/after"))
    assert client.answer()[2] == b"GET /after "


def test_at_the_end_what_is_under_way_is_answered(echo: Echo, client: Client) -> None:
    idle = Client(echo)
    idle.send(get())
    idle.answer()
    client.send(get())
    client.answer()
    client.send(post(b"later"))
    time.sleep(SWEEP)
    echo.finish()
    assert idle.closed()
    echo.go.set()
    status, headers, body = client.answer()
    assert (status, headers["connection"], body) == (200, "close", b"POST / later")
    assert client.closed()
