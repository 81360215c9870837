"""The stream on a real server: what is pending, lost, repeated and removed."""

import threading

import pytest
import redis

from headrace.feature_store.local_redis import LocalRedis
from headrace.feature_store.streaming import RedisStreamSink, RedisStreamSource
from headrace.feature_store.streaming.source import DeadLetter, Entry


@pytest.fixture
def server():
    with LocalRedis() as server:
        yield server


@pytest.fixture
def client(server):
    return redis.Redis.from_url(server.url)


def opened(server, **options):
    source = RedisStreamSource(server.url, "events", **options)
    source.open()
    return source


def publish(server, *payloads):
    RedisStreamSink(server.url, "events").publish(payloads)


def payloads(entries):
    return [entry.payload for entry in entries]


def test_messages_come_in_order_with_their_time_of_arrival(server, client):
    publish(server, b"1", b"2", b"3")
    source = opened(server)

    entries = source.poll(2, 0.01)

    assert payloads(entries) == [b"1", b"2"]
    seconds, micros = client.time()
    assert abs(entries[0].arrived - seconds - micros / 1e6) < 5


def test_what_was_not_committed_comes_again_before_what_is_new(server):
    publish(server, b"1", b"2", b"3")
    source = opened(server)
    source.commit(source.poll(1, 0.01))
    source.poll(1, 0.01)
    publish(server, b"4")

    again = opened(server)

    first = again.poll(10, 0.01)
    assert payloads(first) == [b"2"]
    again.commit(first)
    assert payloads(again.poll(10, 0.01)) == [b"3", b"4"]


def test_what_a_dead_consumer_left_is_taken_over(server):
    publish(server, *(b"%d" % n for n in range(2_500)))
    opened(server, consumer="old").poll(2_400, 0.01)

    source = opened(server, consumer="new")
    got = []
    while entries := source.poll(700, 0.01):
        got += payloads(entries)
        source.commit(entries)

    assert got == [b"%d" % n for n in range(2_500)]


def test_messages_whose_reply_was_lost_are_read_again(server, client):
    source = opened(server)
    assert source.poll(1, 0.01) == []
    threading.Timer(0.2, lambda: client.client_kill_filter(_type="normal", skipme=True)).start()
    with pytest.raises(source.transient):
        source.poll(10, 5.0)
    publish(server, b"1", b"2")
    # What the server would have noted if the connection had broken a moment later.
    client.xreadgroup("headrace", "headrace", {"events": ">"}, count=1)

    assert payloads(source.poll(10, 0.01)) == [b"1"]


def test_a_server_that_forgot_everything_is_read_from_the_start(server, client):
    source = opened(server)
    client.flushall()
    publish(server, b"1")

    assert payloads(source.poll(10, 0.01) or source.poll(10, 0.01)) == [b"1"]


def test_a_stream_that_is_deleted_while_waiting_is_no_error(server, client):
    source = opened(server)
    threading.Timer(0.2, lambda: client.delete("events")).start()

    assert source.poll(10, 2.0) == []
    publish(server, b"1")
    assert payloads(source.poll(10, 0.5)) == [b"1"]


def test_acknowledged_messages_are_removed(server, client):
    publish(server, *(b"%d" % n for n in range(1_000)))
    source = opened(server)
    source.commit(source.poll(500, 0.01))

    # Redis removes whole blocks of a hundred.
    assert 500 <= client.xlen("events") <= 600


def test_messages_that_another_group_needs_stay(server, client):
    publish(server, *(b"%d" % n for n in range(1_000)))
    client.xgroup_create("events", "other", id="0")
    client.xreadgroup("other", "x", {"events": ">"}, count=300)
    source = opened(server)

    source.commit(source.poll(1_000, 0.01))

    assert client.xlen("events") == 1_000


def test_trimming_can_be_left_to_others(server, client):
    publish(server, *(b"%d" % n for n in range(1_000)))
    source = opened(server, trim=False)
    source.commit(source.poll(1_000, 0.01))

    assert client.xlen("events") == 1_000


def test_messages_that_were_removed_before_they_were_read_are_counted(server, client):
    publish(server, b"1", b"2", b"3")
    source = opened(server)
    first = source.poll(10, 0.01)
    client.xdel("events", first[1].position)

    again = RedisStreamSource(server.url, "events")
    again._make_group()

    assert payloads(again.poll(10, 0.01)) == [b"1", b"3"]
    assert again.lost == 1


def test_dead_letters_keep_payload_reason_and_position(server, client):
    source = opened(server)

    source.dead_letter([DeadLetter(Entry(b"7-0", b"{", 0.0), "unreadable: It is not JSON.")])

    ((_, fields),) = client.xrange("events:dead")
    assert fields == {
        b"event": b"{",
        b"reason": b"unreadable: It is not JSON.",
        b"position": b"7-0",
    }


def test_a_message_of_another_shape_is_handed_out_empty(server, client):
    client.xadd("events", {"other": "x"})

    assert payloads(opened(server).poll(10, 0.01)) == [b""]


def test_a_server_that_is_away_is_a_transient_error(server):
    source = opened(server)
    server.kill()

    with pytest.raises(source.transient):
        source.poll(10, 0.01)
