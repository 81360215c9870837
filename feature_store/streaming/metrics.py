"""What the consumer counts, for Prometheus and for the summary at the end."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, start_http_server

if TYPE_CHECKING:
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


class Metrics:
    """Counters of one consumer, in a registry of their own.

    Attributes:
        registry: For exporting them in another way than :meth:`serve`.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._counters = {
            name: Counter(f"headrace_stream_{name}", text, registry=self.registry)
            for name, text in _COUNTERS.items()
        }
        self._counts = dict.fromkeys(_COUNTERS, 0)
        self._freshness = Histogram(
            "headrace_stream_freshness_seconds",
            "From arrival in the stream to readable online",
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self._watermark = Gauge(
            "headrace_stream_watermark_timestamp_seconds",
            "Older events are late",
            registry=self.registry,
        )
        self._values: deque[float] = deque(maxlen=_REMEMBERED)

    def serve(self, port: int) -> None:
        """Answers Prometheus on a port, in a thread."""
        start_http_server(port, registry=self.registry)

    def batch(self, admitted: Admitted, rejected: int, watermark: datetime | None) -> None:
        """Counts a batch that is done."""
        self._add("batches", 1)
        self._add("events", admitted.events.height)
        self._add("duplicates", admitted.duplicates)
        self._add("late", admitted.late.height)
        self._add("rejected", rejected)
        if watermark is not None:
            self._watermark.set(watermark.timestamp())

    def fresh(self, seconds: Sequence[float]) -> None:
        """Notes how long events took."""
        for value in seconds:
            self._freshness.observe(value)
        self._values.extend(seconds)

    def flushed(self, rows: int) -> None:
        """Counts rows written offline."""
        self._add("offline_rows", rows)

    def _add(self, name: str, count: int) -> None:
        self._counters[name].inc(count)
        self._counts[name] += count

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
