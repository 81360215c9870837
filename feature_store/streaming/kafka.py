"""Events in a Kafka topic. Needs the extra `kafka`, which is loaded only here."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from headrace.components.shared.errors import ConfigError
from headrace.feature_store.streaming.source import DeadLetter, Entry

if TYPE_CHECKING:
    from types import ModuleType

_LOG = logging.getLogger(__name__)
_FLUSH_SECONDS = 30.0


class KafkaUnavailable(ConnectionError):
    """The brokers did not take or give messages now; they may later."""


class KafkaSource:
    """Reads topics as a consumer group; offsets are committed only after processing.

    Messages are in order within a partition. Reading a backlog of several partitions mixes their
    times, so use one partition, or an allowed lateness that covers their difference.
    """

    transient: tuple[type[Exception], ...] = (KafkaUnavailable,)

    def __init__(
        self,
        servers: str,
        topic: str,
        *,
        group: str = "headrace",
        dead_letters: str | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        """Prepares a source; nothing is connected yet.

        Args:
            servers: Kafka's `bootstrap.servers`.
            topic: The topic.
            group: The consumer group; a new one starts at the topic's beginning.
            dead_letters: Topic of unusable messages; by default `<topic>.dead`.
            options: More of librdkafka's configuration, such as security.
        """
        self._kafka = _library()
        self._options = {"bootstrap.servers": servers, **(options or {})}
        self._group = group
        self._topic = topic
        self._dead = dead_letters or f"{topic}.dead"
        self._consumer: Any = None
        self._producer: Any = None

    def open(self) -> None:
        """Subscribes; the group starts behind its last committed offsets."""
        if self._consumer is not None:
            return
        self._consumer = self._kafka.Consumer(
            {
                "auto.offset.reset": "earliest",
                **self._options,
                "group.id": self._group,
                "enable.auto.commit": False,
            }
        )
        self._consumer.subscribe([self._topic])

    def poll(self, most: int, seconds: float) -> list[Entry]:
        """Takes what has come; waits only for the first message."""
        entries: list[Entry] = []
        messages = self._consumer.consume(1, seconds)
        if messages and most > 1:
            messages += self._consumer.consume(most - 1, 0)
        for message in messages:
            error = message.error()
            if error is None:
                position = (message.topic(), message.partition(), message.offset())
                entries.append(Entry(position, message.value() or b"", _arrived(message)))
            elif error.fatal():
                raise self._kafka.KafkaException(error)
            else:
                _LOG.warning("Topic %s: %s", self._topic, error)
        return entries

    def commit(self, entries: Sequence[Entry]) -> None:
        """Commits the offsets behind the messages.

        A refused commit, as while partitions move between consumers, is only logged: the next one
        covers it, and messages that come again are known by their ids.
        """
        ends: dict[tuple[str, int], int] = {}
        for topic, partition, offset in (entry.position for entry in entries):
            ends[topic, partition] = max(ends.get((topic, partition), 0), offset + 1)
        if not ends:
            return
        offsets = [self._kafka.TopicPartition(*place, end) for place, end in ends.items()]
        try:
            self._consumer.commit(offsets=offsets, asynchronous=False)
        except self._kafka.KafkaException as error:
            _LOG.warning("Offsets of %s were not committed: %s", self._topic, error)

    def dead_letter(self, letters: Sequence[DeadLetter]) -> None:
        """Produces messages with their reason and position as headers."""
        if self._producer is None:
            self._producer = _Producer(self._kafka, self._options, self._dead)
        self._producer.send(
            [
                (
                    letter.entry.payload,
                    {"reason": letter.reason, "position": repr(letter.entry.position)},
                )
                for letter in letters
            ]
        )

    def close(self) -> None:
        """Leaves the group."""
        if self._consumer is not None:
            self._consumer.close()
            self._consumer = None


class KafkaSink:
    """Publishes to a topic, in order and waiting for all replicas."""

    transient: tuple[type[Exception], ...] = (KafkaUnavailable,)

    def __init__(self, servers: str, topic: str, options: Mapping[str, Any] | None = None) -> None:
        """Prepares a sink.

        Args:
            servers: Kafka's `bootstrap.servers`.
            topic: The topic.
            options: More of librdkafka's configuration.
        """
        self._producer = _Producer(
            _library(), {"bootstrap.servers": servers, **(options or {})}, topic
        )

    def publish(self, payloads: Sequence[bytes]) -> None:
        """Produces messages and waits until the brokers have them."""
        self._producer.send([(payload, {}) for payload in payloads])

    def backlog(self) -> int:
        """Kafka keeps what is consumed, so nothing is known."""
        return 0

    def close(self) -> None:
        """Has nothing to do: :meth:`publish` holds nothing back."""


class _Producer:
    def __init__(self, kafka: ModuleType, options: Mapping[str, Any], topic: str) -> None:
        self._kafka = kafka
        self._topic = topic
        defaults = {"enable.idempotence": True, "linger.ms": 5}
        self._producer = kafka.Producer({**defaults, **options})

    def send(self, messages: Sequence[tuple[bytes, dict[str, str]]]) -> None:
        failed: list[str] = []

        def delivered(error: Any, _: Any) -> None:
            if error is not None:
                failed.append(str(error))

        for payload, headers in messages:
            self._produce(payload, headers, delivered)
        waiting = self._producer.flush(_FLUSH_SECONDS)
        if waiting or failed:
            self._producer.purge()
            self._producer.flush(_FLUSH_SECONDS)
            why = failed[0] if failed else f"no answer for {_FLUSH_SECONDS:.0f} s"
            raise KafkaUnavailable(f"Topic {self._topic} did not take all messages: {why}")

    def _produce(self, payload: bytes, headers: dict[str, str], delivered: Any) -> None:
        while True:
            try:
                self._producer.produce(
                    self._topic, value=payload, headers=headers, on_delivery=delivered
                )
                return
            except BufferError:
                self._producer.poll(0.1)


def _arrived(message: Any) -> float:
    kind, milliseconds = message.timestamp()
    return milliseconds / 1000 if kind else time.time()


def _library() -> ModuleType:
    try:
        import confluent_kafka
    except ImportError as error:
        raise ConfigError(
            "Reading from or publishing to Kafka needs confluent-kafka, which is not installed.",
            fix="Run `pip install 'headrace[kafka]'`, or use a Redis stream.",
        ) from error
    return confluent_kafka
