"""From entity keys over HTTP to a prediction, against the bare call with all features in hand."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import grpc
import numpy as np

from benchmarks.feature_store_setup import NOW, SERVICE, Repository, entity_rows, repository
from benchmarks.flagship import HEADRACE, Bench, BenchmarkError, timed
from benchmarks.gateway_model import inputs
from benchmarks.measurement import Measurement, Target
from headrace.components.shared.model_store import ModelStore
from headrace.components.shared.signatures import RAW_SIGNATURE
from headrace.feature_store.local_redis import free_port
from headrace.feature_store.repo import open_store, registry_hash
from headrace.serving.gateway.protocol import serving_apis
from headrace.serving.gateway.tensor_protos import from_proto, to_proto

MODEL = "bench"
CONCURRENCY = 8
SECONDS = 4.0
ROUNDS = 5
PREDICT = "/tensorflow.serving.PredictionService/Predict"
_START_SECONDS = 90


def gateway(bench: Bench) -> Measurement:
    """One row per request, both servers running, the two ways taking turns."""
    from headrace.feature_store.online import materialize

    with repository(bench.work / "gateway") as made, contextlib.ExitStack() as stack:
        materialize(made.store, None, NOW.replace(year=2012), NOW)
        models = _push(made, bench.work)
        model_port, http_port = free_port(), free_port()
        stack.enter_context(_process(_model_server(models, model_port), bench.work / "server.log"))
        config = _config(made.path, models, model_port)
        command = [HEADRACE, "gateway", str(config), "--port", str(http_port)]
        command += ["--as-of", NOW.isoformat()]
        stack.enter_context(_process(command, bench.work / "gateway.log"))
        _wait(f"http://127.0.0.1:{http_port}/readyz")
        body, message = json.dumps({"instances": entity_rows(1)}).encode(), _message(made)
        _check(http_port, body, model_port, message)
        ours, direct = [], []
        for _ in range(ROUNDS):
            ours.append(_load("http", http_port, f"/v1/predict/{MODEL}", body))
            direct.append(_load("grpc", model_port, PREDICT, message))
    return Measurement(
        name=f"gateway, 1 row x 20 features from Redis, {CONCURRENCY} connections, p99",
        unit="ms",
        target=Target(3),
        ours=[1000 * load["p99"] for load in ours],
        reference=[1000 * load["p99"] for load in direct],
        reference_name="gRPC call of the model server with the same features",
        note=f"{_mean(ours):,.0f} requests/s against {_mean(direct):,.0f}",
        details={"gateway": ours, "direct": direct},
    )


def _push(made: Repository, work: Path) -> Path:
    """A version that asks for the benchmarks' feature service."""
    export = work / "gateway-model"
    timed([sys.executable, "-m", "benchmarks.gateway_model", str(export)], work / "export.log")
    schema = work / "gateway-schema"
    schema.mkdir()
    (schema / "schema.pbtxt").write_text("", encoding="utf-8")
    asked = {"feature_service": SERVICE, "registry_hash": registry_hash(open_store(made.path))}
    models = work / "gateway-models"
    ModelStore(str(models), MODEL).push(export, {"schema": schema}, {"feature_store": asked})
    return models


def _model_server(models: Path, port: int) -> list[str]:
    flags = [f"--model_name={MODEL}", f"--model_base_path={models / MODEL}", f"--port={port}"]
    return [sys.executable, "-m", "headrace.serving.server", *flags]


def _config(repo: Path, models: Path, port: int) -> Path:
    """The defaults, prediction log and audit trail included."""
    path = models / "gateway.yaml"
    model = {"server": f"127.0.0.1:{port}", "versions": str(models), "repo": str(repo)}
    path.write_text(json.dumps({"models": {MODEL: model}}), encoding="utf-8")
    return path


@contextlib.contextmanager
def _process(command: Sequence[str], log: Path) -> Iterator[None]:
    with log.open("w", encoding="utf-8") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
    try:
        yield
    finally:
        process.terminate()
        process.wait(_START_SECONDS)


def _wait(url: str) -> None:
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(url):
                return
        except OSError:
            time.sleep(0.1)
    raise BenchmarkError(f"{url} did not become ready.")


def _message(made: Repository) -> bytes:
    """The call that the gateway makes for the request."""
    from headrace.feature_store.online import OnlineReader

    found = OnlineReader(made.store, SERVICE, now=NOW.timestamp).read(entity_rows(1)).to_dict()
    request = serving_apis().PredictRequest()
    request.model_spec.name, request.model_spec.signature_name = MODEL, RAW_SIGNATURE
    for name, kind in inputs().items():
        values = np.array(found[name], object if kind == "string" else kind)
        to_proto(values, request.inputs[name])
    message: bytes = request.SerializeToString()
    return message


def _check(http_port: int, body: bytes, model_port: int, message: bytes) -> None:
    url = f"http://127.0.0.1:{http_port}/v1/predict/{MODEL}"
    with urllib.request.urlopen(urllib.request.Request(url, body)) as response:
        (row,) = json.load(response)["predictions"]
    with grpc.insecure_channel(f"127.0.0.1:{model_port}") as channel:
        answer = channel.unary_unary(PREDICT)(message)
    outputs = serving_apis().PredictResponse.FromString(answer).outputs
    expected = from_proto(outputs["probability"])[0]
    if row["flags"] or abs(row["outputs"]["probability"] - expected) > 1e-6:
        raise BenchmarkError(f"The gateway answers {row}, the model server {expected}.")


def _load(protocol: str, port: int, path: str, body: bytes) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.serving.load", protocol, str(port), path]
    done = subprocess.run(
        [*command, str(CONCURRENCY), str(SECONDS)], input=body, capture_output=True, check=False
    )
    if done.returncode:
        raise BenchmarkError(f"The load on {path} failed:\n{done.stderr.decode()}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _mean(loads: Sequence[dict[str, Any]]) -> float:
    return sum(load["rate"] for load in loads) / len(loads)
