"""What the consumer counts, for Prometheus and for the summary at the end."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from headrace.components.shared.errors import ConfigError

if TYPE_CHECKING:
    from wsgiref.simple_server import WSGIServer

    from headrace.feature_store.streaming.state import Admitted

_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
_COUNTERS = {
    "events": "Events that were new and in time",
    "duplicates": "Events that were known already",
    "late": "Events older than the watermark",
    "rejected": "Messages that could not be read",
    "batches": "Micro-batches with messages",
    "offline_rows": "Rows written offline",
}
#: The newest so many freshness values give the summary's quantiles.
_REMEMBERED = 500_000


@dataclass(frozen=True)
class Summary:
    """What a consumer did between its start and its end.

    Attributes:
        events: Events that were new and in time.
        duplicates: Events that were known already.
        late: Events older than the watermark; they are in the dead letters.
        rejected: Messages that could not be read; they are in the dead letters.
        recovered: Events of the log whose rows were computed again at the start.
        batches: Micro-batches with messages.
        offline_rows: Rows written offline.
        retries: Calls that had to be repeated because a server did not answer.
        seconds: How long it ran.
        freshness_p50: Seconds from arrival in the stream to readable online; NaN without events.
        freshness_p99: The same for all but the slowest hundredth.
        watermark: Older events are late.
    """

    events: int
    duplicates: int
    late: int
    rejected: int
    recovered: int
    batches: int
    offline_rows: int
    retries: int
    seconds: float
    freshness_p50: float
    freshness_p99: float
    watermark: datetime | None


class Metrics(Collector):
    """Counters of one consumer, in a registry of their own.

    They are numbers of this object, which a scrape turns into metrics: prometheus_client's own
    counters are shared by all of a process when Feast has switched on its multi-process mode.

    Attributes:
        registry: For exporting them in another way than :meth:`serve`.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._counts = dict.fromkeys(_COUNTERS, 0)
        self._watermark: datetime | None = None
        self._buckets = [0] * (len(_BUCKETS) + 1)
        self._total = 0.0
        self._server: WSGIServer | None = None
        self._values: deque[float] = deque(maxlen=_REMEMBERED)
        self.registry.register(self)

    def collect(self) -> Iterator[Metric]:
        """The metrics as they are now."""
        for name, text in _COUNTERS.items():
            yield CounterMetricFamily(f"headrace_stream_{name}", text, self._counts[name])
        bounds = [*map(str, _BUCKETS), "+Inf"]
        yield HistogramMetricFamily(
            "headrace_stream_freshness_seconds",
            "From arrival in the stream to readable online",
            buckets=list(zip(bounds, map(float, accumulate(self._buckets)), strict=True)),
            sum_value=self._total,
        )
        if self._watermark is not None:
            yield GaugeMetricFamily(
                "headrace_stream_watermark_timestamp_seconds",
                "Older events are late",
                self._watermark.timestamp(),
            )

    def serve(self, port: int) -> None:
        """Answers Prometheus on a port, in a thread, until :meth:`close`.

        Raises:
            ConfigError: the port cannot be used.
        """
        try:
            self._server, _ = start_http_server(port, registry=self.registry)
        except OSError as error:
            raise ConfigError(
                f"Metrics cannot be served on port {port}: {error.strerror}.",
                fix="Choose another port, or stop what uses this one.",
            ) from error

    def close(self) -> None:
        """Closes the port."""
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def batch(self, admitted: Admitted, rejected: int, watermark: datetime | None) -> None:
        """Counts a batch that is done."""
        self._counts["batches"] += 1
        self._counts["events"] += admitted.events.height
        self._counts["duplicates"] += admitted.duplicates
        self._counts["late"] += admitted.late.height
        self._counts["rejected"] += rejected
        self._watermark = watermark

    def fresh(self, seconds: Sequence[float]) -> None:
        """Notes how long events took."""
        for value in seconds:
            self._buckets[bisect_left(_BUCKETS, value)] += 1
        self._total += sum(seconds)
        self._values.extend(seconds)

    def flushed(self, rows: int) -> None:
        """Counts rows written offline."""
        self._counts["offline_rows"] += rows

    def summary(
        self, *, recovered: int, retries: int, seconds: float, watermark: datetime | None
    ) -> Summary:
        """Everything so far."""
        values = sorted(self._values)
        return Summary(
            **self._counts,
            recovered=recovered,
            retries=retries,
            seconds=seconds,
            freshness_p50=_quantile(values, 0.5),
            freshness_p99=_quantile(values, 0.99),
            watermark=watermark,
        )


def _quantile(ordered: Sequence[float], share: float) -> float:
    if not ordered:
        return math.nan
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
