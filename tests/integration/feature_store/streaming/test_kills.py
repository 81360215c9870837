"""Consumer and server are killed again and again; the features come out as if they had not been."""

import threading
import time

import redis

from headrace.feature_store.streaming import RedisStreamSink, replay
from tests.support.waiting import eventually

EVENTS = 30_000


def test_features_equal_the_bulk_computation_whatever_is_killed(
    server, consumer, outcome, views, sales, tmp_path
):
    events = sales(EVENTS)
    published = []
    replaying = threading.Thread(
        target=lambda: published.append(
            replay(events, RedisStreamSink(server.url, "events"), rate=2_500)
        ),
        daemon=True,
    )
    consumer.start()
    log = tmp_path / "log"
    eventually(lambda: log.exists(), 60)
    replaying.start()

    for victim in (consumer, server, consumer, server, consumer):
        before = set(log.glob("*.parquet"))
        eventually(lambda before=before: len(set(log.glob("*.parquet")) - before) > 3, 60)
        victim.kill()
        time.sleep(0.2)
        victim.start()
    replaying.join(60)
    assert published and published[0].remaining == 0
    assert published[0].retries > 0, "the server was not down while events were published"

    client = redis.Redis.from_url(server.url)
    eventually(lambda: _is_consumed(client), 60)
    out, errors = consumer.stop()
    assert "Summary(" in out

    for view in views:
        expected = outcome.bulk(view, events)
        assert outcome.offline(view).equals(expected), f"{view.name} offline"
        newest = expected.unique(list(view.keys), keep="last", maintain_order=True)
        newest = newest.drop("event_timestamp")
        online = outcome.online(view, newest.select(view.keys))
        assert online.equals(newest.cast(online.schema)), f"{view.name} online"
    assert client.xlen("events:dead") == 0, errors
    assert client.xlen("events") < EVENTS // 2, "acknowledged messages stay in memory"


def _is_consumed(client):
    (group,) = client.xinfo_groups("events")
    last = client.xinfo_stream("events")["last-generated-id"]
    return group["pending"] == 0 and group["last-delivered-id"] == last
