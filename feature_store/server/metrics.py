"""What the server counts, in Prometheus's format.

Only the thread of the event loop writes, so nothing is locked; a request of a hundred rows adds
hundreds of ages, which the client library's own histogram would take too long for.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import accumulate

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from headrace.feature_store.online.result import OnlineFeatures, Status

_LATENCY = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
#: A second to a month.
_AGE = (1.0, 5.0, 30.0, 60.0, 300.0, 900.0, 3600.0, 10800.0, 43200.0, 86400.0, 604800.0, 2592000.0)
_MICRO = 1_000_000
_STATES = {int(status): status.name.lower() for status in Status}


class _Histogram:
    def __init__(self, limits: Sequence[float]) -> None:
        self._limits = limits
        self._counts = [0] * (len(limits) + 1)
        self.sum = 0.0

    def add(self, value: float) -> None:
        self._counts[bisect_left(self._limits, value)] += 1
        self.sum += value

    @property
    def buckets(self) -> list[tuple[str, float]]:
        names = [*map(str, self._limits), "+Inf"]
        return list(zip(names, accumulate(self._counts), strict=True))


class Metrics(Collector):
    """Counts of one server."""

    def __init__(self) -> None:
        """Starts at zero."""
        self._registry = CollectorRegistry()
        self._registry.register(self)
        self._latency: dict[str, _Histogram] = {}
        self._requests: Counter[tuple[str, str]] = Counter()
        self._ages: dict[str, _Histogram] = {}
        self._rows: Counter[tuple[str, str]] = Counter()
        self._entities = 0
        self._missing = 0
        self._fallbacks = 0
        self._written: Counter[tuple[str, str]] = Counter()

    def request(self, path: str, status: int, seconds: float) -> None:
        """A request was answered."""
        self._requests[path, str(status)] += 1
        if path not in self._latency:
            self._latency[path] = _Histogram(_LATENCY)
        self._latency[path].add(seconds)

    def features(self, found: OnlineFeatures, rows: int, missing: int) -> None:
        """Features were read."""
        self._entities += rows
        self._missing += missing
        self._fallbacks += found.fallback is not None
        for about in found.views:
            if about.view not in self._ages:
                self._ages[about.view] = _Histogram(_AGE)
            ages = self._ages[about.view]
            for state, time in zip(about.states, about.times, strict=True):
                self._rows[about.view, _STATES[state]] += 1
                if time:
                    ages.add(found.now - time / _MICRO)

    def written(self, view: str, written: int, older: int) -> None:
        """Rows were pushed."""
        self._written[view, "written"] += written
        self._written[view, "skipped_older"] += older

    def text(self) -> bytes:
        """Everything in Prometheus's text format."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """Everything, for Prometheus's library."""
        name = "headrace_feature_server"
        yield _counter(f"{name}_requests", "Requests", ("path", "status"), self._requests)
        yield _histogram(f"{name}_latency_seconds", "Time to answer", "path", self._latency)
        yield _plain(f"{name}_entities", "Rows of requests for features", self._entities)
        yield _plain(f"{name}_missing_values", "Values that were not there", self._missing)
        yield _plain(f"{name}_fallbacks", "Requests that Feast itself read", self._fallbacks)
        yield _counter(
            "headrace_feature_rows",
            "Rows read of a view: present, not_found (unknown), outside_max_age (stale)",
            ("view", "status"),
            self._rows,
        )
        yield _histogram(
            "headrace_feature_age_seconds", "How old rows were when read", "view", self._ages
        )
        yield _counter("headrace_feature_pushed_rows", "Rows", ("view", "result"), self._written)


def _plain(name: str, text: str, value: int) -> Metric:
    return CounterMetricFamily(name, text, value=value)


def _counter(
    name: str, text: str, labels: Sequence[str], counts: Counter[tuple[str, str]]
) -> Metric:
    family = CounterMetricFamily(name, text, labels=labels)
    for values, count in counts.items():
        family.add_metric(values, count)
    return family


def _histogram(name: str, text: str, label: str, parts: dict[str, _Histogram]) -> Metric:
    family = HistogramMetricFamily(name, text, labels=[label])
    for value, histogram in parts.items():
        family.add_metric([value], histogram.buckets, histogram.sum)
    return family
