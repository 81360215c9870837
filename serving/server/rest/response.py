"""Answers and their bytes."""

from __future__ import annotations

import time
from dataclasses import dataclass
from email.utils import formatdate
from functools import lru_cache
from http import HTTPStatus

import orjson

JSON = ("Content-Type", "application/json")
HTML = ("Content-Type", "text/html")
TEXT = ("Content-Type", "text/plain")

_REASONS = {status.value: status.phrase for status in HTTPStatus} | {499: "Client Closed Request"}


@dataclass(frozen=True)
class Response:
    """One answer.

    Attributes:
        status: HTTP's status.
        body: Content.
        headers: Besides ``Content-Length`` and ``Connection``.
        close: Whether the connection ends after it.
    """

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = (JSON,)
    close: bool = False

    def encode(self, connection: bytes = b"", *, with_body: bool = True) -> bytes:
        """Head and body as they go over the wire."""
        head = _head_of(self.status, self.headers, int(time.time())) + b"%d\r\n" % len(self.body)
        if connection:
            head += b"Connection: " + connection + b"\r\n"
        return head + b"\r\n" + self.body if with_body else head + b"\r\n"


@lru_cache(maxsize=64)
def _head_of(status: int, headers: tuple[tuple[str, str], ...], now: int) -> bytes:
    """All but the length, which a second's answers of one kind share."""
    lines = [f"HTTP/1.1 {status} {_REASONS.get(status, 'Unknown')}"]
    lines += [f"{name}: {value}" for name, value in headers]
    return "\r\n".join(
        [*lines, f"Date: {formatdate(now, usegmt=True)}", "Content-Length: "]
    ).encode("latin-1")


def error(status: int, message: str) -> Response:
    """``{"error": message}``."""
    shown = message.encode(errors="surrogateescape").decode(errors="replace")
    body = b'{\n    "error": ' + orjson.dumps(shown) + b"\n}"
    return Response(status, body)


def page(status: int) -> Response:
    """The page that TensorFlow Serving's HTTP library sends for what it does not know."""
    reason = _REASONS[status]
    html = (
        f"<HTML><HEAD>\n<TITLE>{status} {reason}</TITLE>\n</HEAD><BODY>\n"
        f"<H1>{reason}</H1>\n</BODY></HTML>\n"
    )
    return Response(status, html.encode(), (HTML,), close=True)
