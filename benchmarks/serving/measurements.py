"""The rows of ``make bench`` that are about the model server."""

from __future__ import annotations

import contextlib
import json
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import grpc
from tensorflow_serving.apis import predict_pb2

from benchmarks.flagship import Bench, BenchmarkError
from benchmarks.measurement import Measurement, Target
from benchmarks.serving import memory, servers
from benchmarks.serving.load import Load
from benchmarks.serving.servers import Endpoint, Question

CONCURRENCY = (1, 8, 32)
SECONDS = 2.0
ROUNDS = 3
#: A lone request's time varies by more than what batching may add to it.
ALONE_ROUNDS, ALONE_SECONDS = 15, 1.0
PEERS = ("KServe", "MLServer", "BentoML")
ECHO, GRPC, PLAIN, REST, MODEL = "echo", "gRPC", "gRPC without batching", "REST", "in process"


@dataclass(frozen=True)
class Comparison:
    """Loads by side and concurrency, one per round."""

    loads: Mapping[str, Mapping[int, Sequence[Load]]]

    def rates(self, side: str, concurrency: int = CONCURRENCY[-1]) -> list[float]:
        """Requests per second, one per round."""
        return [load.rate for load in self.loads[side][concurrency]]

    def medians(self, side: str) -> str:
        """A line for people: rate, p50 and p99 at each concurrency."""
        parts = []
        for concurrency, loads in self.loads[side].items():
            rate, p50, p99 = (
                statistics.median(getattr(load, name) for load in loads)
                for name in ("rate", "p50", "p99")
            )
            times = f"{1e3 * p50:.2f}/{1e3 * p99:.2f} ms"
            parts.append(f"{concurrency}: {rate:,.0f}/s {times}")
        return f"{side}: {', '.join(parts)}"

    def details(self) -> dict[str, Any]:
        """Everything, for the results file."""
        return {
            side: {str(count): [asdict(load) for load in loads] for count, loads in by.items()}
            for side, by in self.loads.items()
        }


def serving_grpc(bench: Bench) -> Measurement:
    """Predict over gRPC against an echo on the same stack."""
    return _against_echo("gRPC Predict", compare(bench), (GRPC, PLAIN, ECHO, MODEL))


def serving_grpc_small(bench: Bench) -> Measurement:
    """The same with a model that costs nothing: what the server itself costs."""
    name = "gRPC Predict of a model that costs nothing"
    return _against_echo(name, compare_small(bench), (GRPC, PLAIN, REST, ECHO))


def _against_echo(name: str, compared: Comparison, shown: Sequence[str]) -> Measurement:
    return Measurement(
        name=f"{name}, {CONCURRENCY[-1]} at a time",
        unit="requests/s",
        target=Target(0.7, better="higher"),
        ours=compared.rates(GRPC),
        reference=compared.rates(ECHO),
        reference_name=f"an echo on grpcio, {servers.THREADS} threads too",
        note="\n".join(map(compared.medians, shown)),
        details=compared.details(),
    )


def serving_rest(bench: Bench) -> Measurement:
    """Predict over REST against the fastest of the other Python servers."""
    compared = compare(bench)
    fastest = max(PEERS, key=lambda name: statistics.median(compared.rates(name)))
    return Measurement(
        name=f"REST predict, {CONCURRENCY[-1]} at a time",
        unit="requests/s",
        target=Target(4, better="higher"),
        ours=compared.rates(REST),
        reference=compared.rates(fastest),
        reference_name=f"{fastest}, the fastest of {', '.join(PEERS)}, with the same model",
        note="\n".join(map(compared.medians, (REST, *PEERS))),
    )


def serving_batching(bench: Bench) -> Measurement:
    """A request that is alone with batching against one without, in many short turns."""
    with _ours(Question.of(bench), bench.work / "serving-alone") as sides:
        waited: dict[str, list[float]] = {GRPC: [], PLAIN: []}
        for turn in range(ALONE_ROUNDS):
            for side in (GRPC, PLAIN) if turn % 2 else (PLAIN, GRPC):
                waited[side].append(1e3 * sides[side].load(1, ALONE_SECONDS).p50)
    return Measurement(
        name="gRPC Predict, one at a time, batching on",
        unit="ms",
        # Half of the runs of two equal servers are above 1.
        target=Target(1.05),
        ours=waited[GRPC],
        reference=waited[PLAIN],
        reference_name="batching off",
    )


def serving_memory(bench: Bench) -> Measurement:
    """Growth of the server's memory under load and version swaps."""
    grown = memory.measure(Question.of(bench), bench.work)
    return Measurement(
        name=f"memory of the model server, {memory.REQUESTS:,} requests, {memory.SWAPS} versions",
        unit="MB",
        target=Target(memory.LIMIT, of="value"),
        ours=[grown.growth],
        note=f"{grown.start:,.0f} MB at 20 % of the requests, {grown.end:,.0f} MB at the end",
        details=asdict(grown),
    )


@cache
def compare(bench: Bench) -> Comparison:
    """All sides take turns, with the pushed model and the same row; made once."""
    question = Question.of(bench)
    loads = _loads(question, bench.work / "serving", with_peers=True)
    return Comparison({**loads, MODEL: _in_process(question)})


@cache
def compare_small(bench: Bench) -> Comparison:
    """Ours and the echo, with a model that costs nothing; made once."""
    question = Question.of(bench).small(bench.work)
    return Comparison(_loads(question, bench.work / "serving-small", with_peers=False))


def _loads(
    question: Question, folder: Path, *, with_peers: bool
) -> dict[str, dict[int, list[Load]]]:
    loads: dict[str, dict[int, list[Load]]] = {}
    with contextlib.ExitStack() as running:
        sides = running.enter_context(_ours(question, folder))
        answer = _ask(sides[GRPC])
        sides[ECHO] = running.enter_context(servers.echo(answer, question, folder / "echo.log"))
        if with_peers:
            sides |= running.enter_context(servers.peers(question, _value(answer), folder))
        for _ in range(ROUNDS):
            for concurrency in CONCURRENCY:
                for name, endpoint in sides.items():
                    of_side = loads.setdefault(name, {}).setdefault(concurrency, [])
                    of_side.append(endpoint.load(concurrency, SECONDS))
    return loads


@contextlib.contextmanager
def _ours(question: Question, folder: Path) -> Iterator[dict[str, Endpoint]]:
    """Our server with batching, over gRPC and REST, and without."""
    base = folder / servers.NAME
    base.mkdir(parents=True, exist_ok=True)
    (base / "1").symlink_to(question.model, target_is_directory=True)
    batching = servers.batching(folder)
    with (
        servers.ours(base, question, *batching) as (batched, rest),
        servers.ours(base, question) as (plain, _),
    ):
        for endpoint in (batched, plain):
            _ask(endpoint)  # a model's first call takes a second or more
        yield {GRPC: batched, PLAIN: plain, REST: rest}


def _ask(endpoint: Endpoint) -> bytes:
    with grpc.insecure_channel(f"127.0.0.1:{endpoint.port}") as channel:
        answer: bytes = channel.unary_unary(endpoint.path)(endpoint.body)
    return answer


def _value(answer: bytes) -> float:
    (tensor,) = predict_pb2.PredictResponse.FromString(answer).outputs.values()
    return float(tensor.float_val[0])


def _in_process(question: Question) -> dict[int, list[Load]]:
    words = (question.model, SECONDS, *CONCURRENCY)
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.serving.in_process", *map(str, words)],
        input=question.record,
        capture_output=True,
        check=False,
    )
    if done.returncode != 0:
        raise BenchmarkError(f"The model cannot be called:\n{done.stderr.decode()}")
    loads = [Load(**load) for load in json.loads(done.stdout)]
    return {count: [load] for count, load in zip(CONCURRENCY, loads, strict=True)}
