"""Kafka, on the brokers that librdkafka brings along for tests."""

import sys
import uuid

import pytest

from headrace.components.shared.errors import ConfigError
from headrace.feature_store.streaming import KafkaSink, KafkaSource
from headrace.feature_store.streaming.source import DeadLetter, Entry


@pytest.fixture(scope="module")
def servers():
    confluent_kafka = pytest.importorskip("confluent_kafka")
    cluster = confluent_kafka.Producer(
        {"bootstrap.servers": "mock", "test.mock.num.brokers": 1, "log_level": 2}
    )
    (broker,) = cluster.list_topics(timeout=10).brokers.values()
    yield f"{broker.host}:{broker.port}"
    cluster.flush(0)


@pytest.fixture
def topic():
    return f"events-{uuid.uuid4().hex[:8]}"


def opened(servers, topic, group="g"):
    # The mock cluster waits this long for other members.
    source = KafkaSource(servers, topic, group=group, options={"session.timeout.ms": 6000})
    source.open()
    return source


def take(source, count, most=100):
    got = []
    for _ in range(60):
        got += source.poll(most, 0.5)
        if len(got) >= count:
            return got
    pytest.fail(f"{len(got)} of {count} messages came")


def numbers(entries):
    return sorted(int(entry.payload) for entry in entries)


def test_what_was_published_is_read_and_offsets_move_only_by_commit(servers, topic):
    """One test for all, because every consumer waits seconds for others to join its group."""
    KafkaSink(servers, topic).publish([b"%d" % n for n in range(10)])
    first = opened(servers, topic)
    some = take(first, 1, most=4)
    assert 1 <= len(some) <= 4
    entries = some + take(first, 10 - len(some))
    assert numbers(entries) == list(range(10))
    assert entries[0].arrived > 1_600_000_000
    first.close()

    second = opened(servers, topic)
    entries = take(second, 10)
    assert numbers(entries) == list(range(10))
    second.commit(entries)
    second.close()

    KafkaSink(servers, topic).publish([b"10"])
    third = opened(servers, topic)
    assert numbers(take(third, 1)) == [10]
    third.close()


def test_dead_letters_keep_the_payload_and_say_why(servers, topic):
    import confluent_kafka

    source = KafkaSource(servers, topic)
    source.dead_letter([DeadLetter(Entry((topic, 0, 7), b"{", 0.0), "unreadable: no JSON")])

    reader = confluent_kafka.Consumer({"bootstrap.servers": servers, "group.id": "reader"})
    partitions = reader.list_topics(f"{topic}.dead", timeout=10).topics[f"{topic}.dead"].partitions
    reader.assign([confluent_kafka.TopicPartition(f"{topic}.dead", n, 0) for n in partitions])
    (letter,) = reader.consume(1, 10)
    assert letter.value() == b"{"
    assert dict(letter.headers()) == {
        "reason": b"unreadable: no JSON",
        "position": repr((topic, 0, 7)).encode(),
    }
    reader.close()


def test_brokers_that_are_away_are_a_transient_error(topic):
    sink = KafkaSink("127.0.0.1:1", topic, {"message.timeout.ms": 300, "log_level": 0})

    with pytest.raises(sink.transient, match="did not take all messages"):
        sink.publish([b"1"])


def test_a_missing_library_is_told(monkeypatch, topic):
    monkeypatch.setitem(sys.modules, "confluent_kafka", None)

    with pytest.raises(ConfigError) as missing:
        KafkaSource("localhost:9092", topic)

    assert "which is not installed" in missing.value.message
    assert "pip install 'headrace[kafka]'" in missing.value.fix
