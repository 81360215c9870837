"""Constant load in a process of its own: ``clients.py GRPC,REST [GRPC,REST …]``.

Every thread asks the first replica; when that refuses, the same request goes to the next one. Each
line on standard input is answered with what has happened since the last one, as JSON.
"""

from __future__ import annotations

import itertools
import json
import sys
import threading
import time
from collections import Counter
from http.client import HTTPConnection, HTTPException
from typing import Any, Protocol

import grpc

from headrace.serving.gateway.protocol import serving_apis

MODEL = "numbered"
#: Threads of each protocol, and the pause between a thread's requests.
THREADS, PAUSE = 4, 0.004
ROWS = 3
_APIS = serving_apis()


class Refused(Exception):
    """The replica did not take the request: another one may."""


class Answer(tuple[int | None, list[float], list[float]]):
    """The version that the answer names, if it does, and its two outputs."""


class Replica(Protocol):
    def ask(self, x: list[float]) -> Answer: ...


class Grpc:
    def __init__(self, address: str) -> None:
        self._stub = _APIS.PredictionServiceStub(grpc.insecure_channel(address))

    def ask(self, x: list[float]) -> Answer:
        request = _APIS.PredictRequest()
        request.model_spec.name = MODEL
        tensor = request.inputs["x"]
        tensor.dtype = _APIS.types.DT_FLOAT
        tensor.tensor_shape.dim.add(size=len(x))
        tensor.float_val.extend(x)
        try:
            answer = self._stub.Predict(request, timeout=30)
        except grpc.RpcError as error:
            if error.code() is grpc.StatusCode.UNAVAILABLE:
                raise Refused(error.details()) from None
            raise
        values = [list(answer.outputs[name].float_val) for name in ("version", "product")]
        return Answer((answer.model_spec.version.value, *values))


class Rest:
    """Keeps its connection, as clients do."""

    def __init__(self, address: str) -> None:
        self._connection = HTTPConnection(address, timeout=30)

    def ask(self, x: list[float]) -> Answer:
        body = json.dumps({"inputs": x})
        try:
            self._connection.request("POST", f"/v1/models/{MODEL}:predict", body)
            response = self._connection.getresponse()
        except (ConnectionError, HTTPException) as error:
            self._connection.close()
            raise Refused(f"{type(error).__name__}: {error}") from None
        content = response.read()
        if response.status != 200:
            raise RuntimeError(f"{response.status}: {content!r}")
        outputs = json.loads(content)["outputs"]
        return Answer((None, outputs["version"], outputs["product"]))


class Tally:
    """What has happened; one for all threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._clear()

    def _clear(self) -> None:
        self._answers: Counter[str] = Counter()
        self._wrong: list[str] = []

    def count(self, what: str) -> None:
        with self._lock:
            self._answers[what] += 1

    def wrong(self, what: str) -> None:
        with self._lock:
            self._wrong.append(what)

    def take(self) -> dict[str, Any]:
        with self._lock:
            taken = {"counts": dict(self._answers), "wrong": self._wrong[:5]}
            self._clear()
            return taken


def check(answer: Answer, x: list[float]) -> int:
    """The one version that the whole answer comes from."""
    named, versions, products = answer
    version = int(versions[0])
    whole = versions == [version] * len(x) and products == [version * value for value in x]
    if not whole or named not in (None, version):
        raise RuntimeError(f"a mixed answer: {answer} for {x}")
    return version


def work(kind: str, replicas: list[Replica], tally: Tally, first: int) -> None:
    for number in itertools.count():
        x = [float(first + number % 1000 + row) for row in range(ROWS)]
        for place, replica in enumerate(replicas):
            try:
                tally.count(f"version {check(replica.ask(x), x)}")
                tally.count(f"{kind} by replica {place}")
                break
            except Refused as error:
                tally.count(f"{kind} refused: {error}")
            except Exception as error:
                tally.wrong(f"{kind}: {error!r}")
                break
        else:
            tally.wrong(f"{kind}: no replica took it")
        time.sleep(PAUSE)


def main(addresses: list[str]) -> None:
    places = [address.split(",") for address in addresses]
    tally = Tally()
    for first in range(THREADS):
        for kind, make, part in (("gRPC", Grpc, 0), ("REST", Rest, 1)):
            replicas: list[Replica] = [make(place[part]) for place in places]
            words = (kind, replicas, tally, first)
            threading.Thread(target=work, args=words, daemon=True).start()
    for _ in sys.stdin:
        print(json.dumps(tally.take()), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
