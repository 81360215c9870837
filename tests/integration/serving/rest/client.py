"""One request to a REST port, and its answer."""

from __future__ import annotations

import json
from http.client import HTTPConnection
from typing import Any, NamedTuple

#: A request to the model ``half``, and the answer.
HALF = {"instances": [1.0, 2.0]}
HALF_ANSWER = b'{\n    "predictions": [2.5, 3.0\n    ]\n}'


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> tuple[int, str]:
        assert self.headers["content-type"] == "application/json"
        assert list(self.document) == ["error"]
        return self.status, self.document["error"]


def ask(address: str, verb: str, path: str, body: bytes | str = b"", **headers: str) -> Answer:
    connection = HTTPConnection(address, timeout=60)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(verb, path, body.encode() if isinstance(body, str) else body, named)
    response = connection.getresponse()
    head = {name.lower(): value for name, value in response.getheaders()}
    answer = Answer(response.status, head, response.read())
    connection.close()
    return answer
