"""Fresh features: events from a stream change rows online at once, and offline soon after.

Names are loaded when they are asked for, because Feast takes seconds to import.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from headrace.feature_store.streaming.consumer import ConsumerOptions, consume, seed
    from headrace.feature_store.streaming.kafka import KafkaSink, KafkaSource
    from headrace.feature_store.streaming.metrics import Summary
    from headrace.feature_store.streaming.redis_stream import RedisStreamSink, RedisStreamSource
    from headrace.feature_store.streaming.replaying import ReplaySummary, replay
    from headrace.feature_store.streaming.source import EventSink, EventSource

__all__ = [
    "ConsumerOptions",
    "EventSink",
    "EventSource",
    "KafkaSink",
    "KafkaSource",
    "RedisStreamSink",
    "RedisStreamSource",
    "ReplaySummary",
    "Summary",
    "consume",
    "replay",
    "seed",
]

_HOMES = {
    "ConsumerOptions": "consumer",
    "EventSink": "source",
    "EventSource": "source",
    "KafkaSink": "kafka",
    "KafkaSource": "kafka",
    "RedisStreamSink": "redis_stream",
    "RedisStreamSource": "redis_stream",
    "ReplaySummary": "replaying",
    "Summary": "metrics",
    "consume": "consumer",
    "replay": "replaying",
    "seed": "consumer",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
