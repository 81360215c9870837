"""Metrics as TensorFlow Serving prints them for Prometheus.

prometheus_client cannot: it ends the names of counters in ``_total``, adds ``# HELP`` and
``_created`` lines, and prints ``le="10.0"`` and ``1.0`` for ``le="10"`` and ``1``, so that
dashboards made for TensorFlow Serving would find nothing.
"""

from __future__ import annotations

import re
import threading
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate

from headrace.serving.server.errors import Code
from headrace.serving.server.seam import Entrypoint

#: Where TensorFlow Serving shows them unless its monitoring file says otherwise.
DEFAULT_PATH = "/monitoring/prometheus/metrics"

# Clients choose the names of models that they ask for, so the number of cells needs a limit.
_MAX_CELLS = 10_000
_MICROSECONDS = 1e6

Values = tuple[str, ...]


class _Counter:
    """Whole numbers by label values."""

    def __init__(self, name: str, *labels: str) -> None:
        self.name = name
        self._labels = labels
        self._cells: dict[Values, int] = {}
        self._lock = threading.Lock()

    def add(self, count: int, *values: str) -> None:
        with self._lock:
            values = _cell(self._cells, values)
            self._cells[values] = self._cells.get(values, 0) + count

    def first(self) -> int:
        """The value of the first cell, as TensorFlow Serving reports a counter."""
        with self._lock:
            return next(iter(self._cells.values()), 0)

    def lines(self) -> Iterator[str]:
        name = _prometheus_name(self.name)
        yield f"# TYPE {name} counter"
        with self._lock:
            cells = dict(self._cells)
        for values, count in cells.items():
            yield f"{name}{{{_pairs(self._labels, values)}}} {count}"


class _Histogram:
    """Distributions by label values; a value that equals a limit counts above it."""

    def __init__(
        self, name: str, *labels: str, scale: float = 10, growth: float = 1.8, limits: int = 33
    ) -> None:
        self.name = name
        self._labels = labels
        steps = [growth] * (limits - 1)
        self._limits = list(accumulate(steps, lambda limit, by: limit * by, initial=scale))
        self._cells: dict[Values, list[float]] = {}  # counts, then the sum
        self._lock = threading.Lock()

    def add(self, value: float, *values: str) -> None:
        bucket = bisect_right(self._limits, value)
        with self._lock:
            values = _cell(self._cells, values)
            cell = self._cells.get(values)
            if cell is None:
                cell = self._cells[values] = [0] * (len(self._limits) + 1) + [0.0]
            cell[bucket] += 1
            cell[-1] += value

    def lines(self) -> Iterator[str]:
        name = _prometheus_name(self.name)
        yield f"# TYPE {name} histogram"
        with self._lock:
            cells = {values: list(cell) for values, cell in self._cells.items()}
        limits = [f"{limit:g}" for limit in self._limits] + ["+Inf"]
        for values, (*counts, total) in cells.items():
            pairs = _pairs(self._labels, values)
            before = f"{pairs}," if pairs else ""
            for limit, count in zip(limits, accumulate(counts), strict=True):
                yield f'{name}_bucket{{{before}le="{limit}"}} {count}'
            yield f"{name}_sum{{{pairs}}} {total:g}"
            yield f"{name}_count{{{pairs}}} {sum(counts)}"


class Metrics:
    """The seam's ``Observer`` that counts; the names and labels are TensorFlow Serving's."""

    def __init__(self) -> None:
        base = "/tensorflow/serving/"
        self._batches = _Counter(f"{base}batching_session/wrapped_run_count")
        self._queuing = _Histogram(
            f"{base}batching_session/queuing_latency",
            "thread_pool_name",
            scale=100,
            growth=1.2,
            limits=52,
        )
        self._warmup_records = _Counter(f"{base}model_warmup_records_read", "model_path", "status")
        self._warmup_latency = _Histogram(f"{base}model_warmup_latency", "model_path", "status")
        self._requests = _Counter(f"{base}request_count", "model_name", "status")
        self._latency = _Histogram(f"{base}request_latency", "model_name", "API", "entrypoint")
        self._runtime = _Histogram(f"{base}runtime_latency", "model_name", "API", "runtime")
        self._example_count = _Counter(f"{base}request_example_count_total", "model")
        self._example_counts = _Histogram(
            f"{base}request_example_counts", "model", scale=1, growth=2, limits=15
        )
        self._logged = _Counter(f"{base}request_log_count", "model_name", "status_code")
        families: list[_Counter | _Histogram] = [
            one for one in vars(self).values() if isinstance(one, _Counter | _Histogram)
        ]
        self._families = sorted(families, key=lambda one: one.name)

    def request(
        self, model: str, api: str, entrypoint: Entrypoint, code: Code, seconds: float
    ) -> None:
        """Counts an answered request; its latency only if it succeeded."""
        self._requests.add(1, model, code.name)
        if code is Code.OK:
            self._latency.add(seconds * _MICROSECONDS, model, api, entrypoint)

    def runtime(self, model: str, api: str, seconds: float) -> None:
        """Counts a run of a model."""
        self._runtime.add(seconds * _MICROSECONDS, model, api, "TF1")

    def examples(self, model: str, count: int) -> None:
        """Counts the examples of a request."""
        self._example_counts.add(count, model)
        self._example_count.add(count, model)

    def warmup(self, model: str, records: int, seconds: float) -> None:
        """Counts a warmup."""
        self._warmup_records.add(records, model, "OK")
        self._warmup_latency.add(seconds * _MICROSECONDS, model, "OK")

    def batch(self, queued_seconds: Sequence[float]) -> None:
        """Counts a batch and how long its requests had waited."""
        self._batches.add(1)
        for seconds in queued_seconds:
            self._queuing.add(seconds * _MICROSECONDS, "")

    def logged(self, model: str, ok: bool) -> None:
        """Counts a request that was, or was not, logged."""
        self._logged.add(1, model, (Code.OK if ok else Code.INTERNAL).name)

    def counter(self, name: str) -> int:
        """What a counter says now, by TensorFlow Serving's name; 0 when there is none."""
        found = (one for one in self._families if isinstance(one, _Counter) and one.name == name)
        return next((one.first() for one in found), 0)

    def text(self) -> str:
        """All of them in Prometheus' text format."""
        return "\n".join(line for one in self._families for line in one.lines()) + "\n"


def _cell(cells: dict[Values, int] | dict[Values, list[float]], values: Values) -> Values:
    return values if values in cells or len(cells) < _MAX_CELLS else ("",) * len(values)


def _prometheus_name(name: str) -> str:
    return re.sub("[^a-zA-Z0-9_]", ":", name)


def _pairs(labels: Values, values: Values) -> str:
    return ",".join(
        f'{label}="{_escaped(value)}"' for label, value in zip(labels, values, strict=True)
    )


def _escaped(value: str) -> str:
    # A line feed would end the line; TensorFlow Serving lets it.
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
