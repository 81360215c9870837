"""Answers as bytes: status lines, error documents and pages."""

from __future__ import annotations

import json
from email.utils import parsedate_to_datetime

import pytest

from headrace.serving.server.errors import Code
from headrace.serving.server.rest.response import Response, error, page

STATUS = {
    Code.OK: 200,
    Code.CANCELLED: 499,
    Code.UNKNOWN: 500,
    Code.INVALID_ARGUMENT: 400,
    Code.DEADLINE_EXCEEDED: 504,
    Code.NOT_FOUND: 404,
    Code.ALREADY_EXISTS: 409,
    Code.PERMISSION_DENIED: 403,
    Code.RESOURCE_EXHAUSTED: 429,
    Code.FAILED_PRECONDITION: 400,
    Code.ABORTED: 409,
    Code.OUT_OF_RANGE: 400,
    Code.UNIMPLEMENTED: 501,
    Code.INTERNAL: 500,
    Code.UNAVAILABLE: 503,
    Code.DATA_LOSS: 500,
    Code.UNAUTHENTICATED: 401,
}


@pytest.mark.parametrize("code", Code)
def test_each_code_has_its_status(code: Code) -> None:
    assert code.http_status == STATUS[code]
    assert error(code.http_status, "x").encode().startswith(b"HTTP/1.1 %d " % STATUS[code])


def test_an_error_is_a_document() -> None:
    answer = error(400, 'Bad key: "\xe4\udcff\n"')
    assert answer.body == '{\n    "error": "Bad key: \\"ä?\\n\\""\n}'.encode().replace(
        b"?", "\ufffd".encode()
    )
    assert json.loads(answer.body)["error"] == 'Bad key: "ä\ufffd\n"'
    assert dict(answer.headers)["Content-Type"] == "application/json"


def test_the_head_says_what_follows() -> None:
    head, _, body = Response(200, b"12345").encode(b"close").partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    headers = dict(line.split(": ", 1) for line in lines)
    assert first == "HTTP/1.1 200 OK"
    assert body == b"12345"
    assert headers["Content-Length"] == "5"
    assert headers["Connection"] == "close"
    assert parsedate_to_datetime(headers["Date"]).tzinfo is not None


def test_a_page_ends_the_connection() -> None:
    assert page(404).close
    assert page(431).body.startswith(b"<HTML><HEAD>\n<TITLE>431 Request Header Fields Too Large<")
