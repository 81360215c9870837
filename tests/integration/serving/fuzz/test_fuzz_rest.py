"""Broken REST requests: an answer to each, no error of the server's own, no growing memory."""

from __future__ import annotations

import json
import socket
from collections import Counter
from http.client import HTTPConnection
from itertools import cycle, islice
from typing import Any

from .mutation import REQUESTS, memory, mutants

PREDICT = [
    b'{"instances": [1.0, 2.5, -3e4, NaN, Infinity]}',
    b'{"signature_name": "two", "inputs": {"a": [1, 3], "b": [2, 5]}}',
]
TYPES = [
    b'{"signature_name": "string", "instances": ["a", {"b64": "aGVsbG8="}, "\\u00e9\\n"]}',
    b'{"signature_name": "int64", "inputs": [[[1, 2], [3, 4]], [[5, 6], [7, 8]]]}',
    b'{"signature_name": "float64", "instances": [{"x": [1e300, 0.1]}, {"x": [2, -Infinity]}]}',
    b'{"signature_name": "uint8", "inputs": [255, 0]}',
    b'{"signature_name": "bool", "inputs": [true, false]}',
]
EXAMPLES = [
    b'{"examples": [{"x": 80.0, "y": [1, true], "z": ["a", {"b64": "YQ=="}]}], "context": {}}',
    b'{"signature_name": "classify", "examples": [{"x": [20.0]}]}',
]
PIECES = [
    *(b'"', b"\\", b"[", b"]", b"{", b"}", b",", b":", b"-", b".", b"e", b"0", b"null", b"true"),
    *(b"NaN", b"1e400", b"9" * 20, b"\\ud800", b"\xff", b"\0", b'{"b64": "!"}', b'"a": 1,'),
    *(b"[" * 2000, b"]" * 2000, b"[[[[1]]]]", b'"instances": ', b'"inputs": '),
]
TARGETS = {
    "half:predict": PREDICT,
    "types:predict": TYPES,
    "table:predict": [b'{"instances": ["red", "green", "none"]}'],
    "examples:classify": EXAMPLES,
    "examples:regress": EXAMPLES,
}
HEADS = [
    b"GET /v1/models/half HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /v1/models/half/versions/1/metadata?x=1 HTTP/1.1\r\nAccept: */*\r\n\r\n",
    b'POST /v1/models/half:predict HTTP/1.1\r\nContent-Length: 18\r\n\r\n{"instances": [1]}',
    b"POST /v1/models/half:predict HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
    b'12\r\n{"instances": [1]}\r\n0\r\n\r\n',
    b"OPTIONS /v1/models HTTP/1.0\r\nOrigin: http://a\r\nConnection: keep-alive\r\n\r\n",
]
HEAD_PIECES = [
    *(b"\r\n", b"\n", b":", b" ", b"%", b"/", b"%00", b"\xff", b"\0", b"HTTP/1.1", b"x" * 5000),
    *(b"Content-Length: 99\r\n", b"Content-Encoding: gzip\r\n", b"Expect: 100-continue\r\n"),
]


def test_broken_bodies(shared: Any) -> None:
    connection = HTTPConnection(shared.rest_address, timeout=60)
    statuses: Counter[int] = Counter()
    broken = {path: mutants(seeds, PIECES, len(path)) for path, seeds in TARGETS.items()}
    for number, path in enumerate(islice(cycle(broken), REQUESTS)):
        if number == REQUESTS // 5:
            before = memory()
        body = next(broken[path])
        connection.request("POST", f"/v1/models/{path}", body)
        response = connection.getresponse()
        content = response.read()
        statuses[response.status] += 1
        assert response.status in (200, 400, 501), (path, body, content)
        assert b"Traceback" not in content
        if response.status != 200:
            assert list(json.loads(content)) == ["error"], body
    print(statuses, f"memory grew by {(memory() - before) / 1e6:.0f} MB")
    # Good ones are among them, so that the server was asked for more than errors.
    assert statuses[200] > REQUESTS / 10
    assert memory() - before < 30e6
    connection.close()


def test_broken_http(shared: Any) -> None:
    host, _, port = shared.rest_address.rpartition(":")
    for data in islice(mutants(HEADS, HEAD_PIECES, seed=2), REQUESTS // 5):
        with socket.create_connection((host, int(port)), timeout=30) as client:
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)
            answer = b""
            while part := client.recv(65536):
                answer += part
        assert b"HTTP/1.1 500" not in answer, data
        assert b"Traceback" not in answer
