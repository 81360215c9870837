"""What the gateway counts, for Prometheus."""

from __future__ import annotations

from collections import Counter as Counts
from functools import partial
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from headrace.serving.gateway.features import Features
from headrace.serving.gateway.tensors import Served

if TYPE_CHECKING:
    from headrace.serving.prediction_log.writer import PredictionLog

_NAME = "headrace_gateway"
_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
_ROWS = (1, 2, 5, 10, 20, 50, 100, 250, 500, 1000)


class Metrics:
    """Counters of one gateway."""

    def __init__(self, log: PredictionLog | None) -> None:
        """Starts at zero.

        Args:
            log: The prediction log, whose losses are shown too.
        """
        self._registry = CollectorRegistry()
        counter = partial(Counter, namespace=_NAME, registry=self._registry)
        histogram = partial(Histogram, namespace=_NAME, registry=self._registry)
        gauge = partial(Gauge, namespace=_NAME, registry=self._registry)
        self._requests = counter("requests", "Requests by answer", ["model", "status"])
        self._latency = histogram("latency_seconds", "Time to answer", ["model"], buckets=_SECONDS)
        self._stages = histogram(
            "stage_seconds",
            "Time for a batch: features (online store) or predict (model server)",
            ["model", "stage"],
            buckets=_SECONDS,
        )
        self._batch = histogram(
            "batch_rows", "Rows that were answered together", ["model"], buckets=_ROWS
        )
        self._flags = counter(
            "features_without_value",
            "Features without a value: why, and what was done",
            ["model", "view", "state", "action"],
        )
        self._outages = counter(
            "store_outages", "Batches for which the online store was down", ["model"]
        )
        self._version = gauge("model_version", "The version that answers", ["model"])
        self._changed = gauge(
            "definitions_changed",
            "1 when the feature repository is not the one of the training",
            ["model"],
        )
        if log is not None:
            rows = gauge("prediction_log_rows", "Rows written or dropped so far", ["result"])
            rows.labels("written").set_function(lambda: log.written)
            rows.labels("dropped").set_function(lambda: log.dropped)

    def request(self, model: str, status: int, seconds: float) -> None:
        """A request was answered."""
        self._requests.labels(model, str(status)).inc()
        self._latency.labels(model).observe(seconds)

    def batch(
        self,
        model: str,
        rows: int,
        features: Features,
        served: Served,
        reading: float,
        predicting: float,
    ) -> None:
        """Rows were answered together."""
        self._batch.labels(model).observe(rows)
        self._stages.labels(model, "features").observe(reading)
        self._stages.labels(model, "predict").observe(predicting)
        if features.outage:
            self._outages.labels(model).inc()
        counts = Counts(
            (flag.view, flag.state.value, flag.action.value)
            for flags in served.flags
            for flag in flags.values()
        )
        for labels, count in counts.items():
            self._flags.labels(model, *labels).inc(count)

    def version(self, model: str, version: int, changed: bool) -> None:
        """What answers now."""
        self._version.labels(model).set(version)
        self._changed.labels(model).set(changed)

    def text(self) -> bytes:
        """Everything in Prometheus's text format."""
        return generate_latest(self._registry)
