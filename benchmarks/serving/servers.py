"""Starting ours, the echo and the other servers, and asking each the same."""

from __future__ import annotations

import base64
import contextlib
import json
import math
import os
import re
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil
import tenacity

from benchmarks.flagship import Bench, BenchmarkError, timed
from benchmarks.serving.environments import ROOT, programs
from benchmarks.serving.load import Load
from benchmarks.serving.peers import model as peer_model
from headrace.feature_store.local_redis import free_port

NAME = "bench"
#: Threads of our gRPC server and of the echo: the default of ours on two cores.
THREADS = 8
PREDICT = "/tensorflow.serving.PredictionService/Predict"
_START_SECONDS = 180
_SMALL = """
import sys
import tensorflow as tf

class Small(tf.Module):
    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def lengths(self, examples):
        return {"probability": tf.cast(tf.strings.length(examples), tf.float32)}

module = Small()
tf.saved_model.save(module, sys.argv[1], signatures=module.lengths)
"""
_NUMBER = re.compile(r"\d+\.\d+(?:e-?\d+)?")


@dataclass(frozen=True)
class Endpoint:
    """What to ask a server.

    Attributes:
        protocol: ``grpc`` or ``http``.
        port: On this machine.
        path: The method, or the URL's path.
        body: The request.
        process: The server's.
    """

    protocol: str
    port: int
    path: str
    body: bytes
    process: int

    def load(self, concurrency: int, seconds: float) -> Load:
        """Asks as often as the server answers; see ``benchmarks.serving.load``.

        Raises:
            BenchmarkError: an answer was an error.
        """
        words = (self.protocol, self.port, self.path, concurrency, seconds)
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.serving.load", *map(str, words)],
            input=self.body,
            capture_output=True,
            check=False,
        )
        if done.returncode != 0:
            raise BenchmarkError(f"The load on {self.path} failed:\n{done.stderr.decode()}")
        return Load(**json.loads(done.stdout))


@dataclass(frozen=True)
class Question:
    """A model and one row to ask it.

    Attributes:
        model: SavedModel.
        record: Serialized tf.Example.
    """

    model: Path
    record: bytes

    @classmethod
    def of(cls, bench: Bench) -> Question:
        """The model that the first cold run pushed, and the first row of its test split."""
        from headrace.components.shared import examples

        run = bench.cold[0]
        pushed = run.record.tasks["pusher"].outputs.artifacts["pushed_model"]
        shards = examples.shards(run.artifact("example-gen", "examples"), "test")
        record = next(examples.serialized(shards, 1))[0]
        return cls(Path(str(pushed.metadata["external_path"])), record)

    def small(self, work: Path) -> Question:
        """The same row for a model that costs nothing: it counts the row's bytes.

        Raises:
            BenchmarkError: it cannot be exported.
        """
        path = work / "small-model"
        if not path.exists():
            timed([sys.executable, "-c", _SMALL, str(path)], work / "small-model.log")
        return Question(path, self.record)

    @property
    def text(self) -> str:
        """The row for JSON."""
        return base64.b64encode(self.record).decode()

    @property
    def predict_request(self) -> bytes:
        """The row as a ``PredictRequest``."""
        import tensorflow as tf
        from tensorflow_serving.apis import predict_pb2

        request = predict_pb2.PredictRequest()
        request.model_spec.name = NAME
        request.inputs["examples"].CopyFrom(tf.make_tensor_proto([self.record]))
        content: bytes = request.SerializeToString()
        return content

    @property
    def instances(self) -> bytes:
        """The row in TensorFlow Serving's JSON."""
        return json.dumps({"instances": [{"b64": self.text}]}).encode()


def batching(folder: Path) -> tuple[str, str]:
    """Flags for one batch at a time, so that the next one grows meanwhile."""
    file = folder / "batching.config"
    file.write_text("num_batch_threads { value: 1 }\n", encoding="utf-8")
    return "--enable_batching=true", f"--batching_parameters_file={file}"


@contextlib.contextmanager
def ours(base: Path, question: Question, *flags: str) -> Iterator[tuple[Endpoint, Endpoint]]:
    """Our server with a folder of versions; its gRPC and its REST endpoint."""
    port, rest = free_port(), free_port()
    command = [
        *(sys.executable, "-m", "headrace.serving.server"),
        *(f"--port={port}", f"--rest_api_port={rest}", f"--grpc_max_threads={THREADS}"),
        *(f"--model_name={NAME}", f"--model_base_path={base}", *flags),
    ]
    with _process(command, rest, base.parent / "headrace.log") as process:
        yield (
            Endpoint("grpc", port, PREDICT, question.predict_request, process),
            Endpoint("http", rest, f"/v1/models/{NAME}:predict", question.instances, process),
        )


@contextlib.contextmanager
def echo(answer: bytes, question: Question, log: Path) -> Iterator[Endpoint]:
    """The echo, with a ``PredictResponse`` to answer."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.serving.echo", str(port), str(THREADS)]
    with _process(command, port, log, given=answer) as process:
        yield Endpoint("grpc", port, PREDICT, question.predict_request, process)


@contextlib.contextmanager
def peers(question: Question, expected: float, work: Path) -> Iterator[dict[str, Endpoint]]:
    """KServe's, MLServer's and BentoML's servers by name, once they answer as expected."""
    v2 = {"name": "examples", "shape": [1], "datatype": "BYTES", "data": [question.text]}
    module = "benchmarks.serving.peers"
    with contextlib.ExitStack() as running:

        def start(name: str, program: str, words: Sequence[str], path: str, body: bytes) -> None:
            port = free_port()
            command = [str(programs(f"peers-{name.lower()}") / program), *words, str(port)]
            process = running.enter_context(
                _process(command, port, work / f"{name}.log", variables=_for_peer(question))
            )
            endpoints[name] = Endpoint("http", port, path, body, process)
            _check(endpoints[name], expected)

        endpoints: dict[str, Endpoint] = {}
        start(
            *("KServe", "python", ["-m", f"{module}.kserve_server"]),
            *(f"/v1/models/{NAME}:predict", question.instances),
        )
        start(
            *("MLServer", "python", ["-m", f"{module}.mlserver_server"]),
            *(f"/v2/models/{NAME}/infer", json.dumps({"inputs": [v2]}).encode()),
        )
        start(
            *("BentoML", "bentoml", ["serve", f"{module}.bentoml_server:BenchModel", "--port"]),
            *("/predict", json.dumps({"instances": [question.text]}).encode()),
        )
        yield endpoints


def _check(endpoint: Endpoint, expected: float) -> None:
    """Waits for the first answer; some open their port before they can give one."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{endpoint.port}{endpoint.path}",
        endpoint.body,
        {"content-type": "application/json"},
    )
    for attempt in tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(OSError),
        stop=tenacity.stop_after_delay(_START_SECONDS),
        wait=tenacity.wait_fixed(0.2),
        reraise=True,
    ):
        with attempt, urllib.request.urlopen(request) as answer:
            text = answer.read().decode()
    if not any(math.isclose(float(one), expected, rel_tol=1e-5) for one in _NUMBER.findall(text)):
        raise BenchmarkError(f"{endpoint.path} answers {text}; expected {expected}")


def _for_peer(question: Question) -> dict[str, str]:
    packages = Path(sys.prefix) / "lib" / f"python3.{sys.version_info.minor}" / "site-packages"
    return {
        "PYTHONPATH": str(ROOT),
        peer_model.NAME: NAME,
        peer_model.PATH: str(question.model),
        peer_model.PACKAGES: str(packages),
    }


@contextlib.contextmanager
def _process(
    command: Sequence[str],
    port: int,
    log: Path,
    *,
    given: bytes = b"",
    variables: Mapping[str, str] | None = None,
) -> Iterator[int]:
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(variables or {})},
            cwd=ROOT,
            start_new_session=True,
        )
    try:
        assert process.stdin is not None
        process.stdin.write(given)
        process.stdin.close()
        _wait(process, port, log)
        yield process.pid
    finally:
        _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends a server and the processes that it started, also those in sessions of their own."""
    with contextlib.suppress(psutil.NoSuchProcess):
        server = psutil.Process(process.pid)
        for member in (server, *server.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                member.kill()
    process.wait()


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    end = time.monotonic() + _START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            time.sleep(0.2)
    last = "\n".join(log.read_text(errors="replace").splitlines()[-20:])
    raise BenchmarkError(f"A server did not start: {process.args!r}\n{last}")
