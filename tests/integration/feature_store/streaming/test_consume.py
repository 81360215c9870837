"""A consumer in this process, on a real repository and server."""

import socket
import threading
import urllib.request

import pytest
import redis

from headrace.components.shared.errors import ConfigError, StorageError
from headrace.feature_store.streaming import (
    ConsumerOptions,
    RedisStreamSink,
    RedisStreamSource,
    consume,
    replay,
    seed,
)
from headrace.feature_store.streaming.log import EventLog
from tests.support.waiting import eventually

UNTIL_IDLE = ConsumerOptions(idle_seconds=0.5)


@pytest.fixture
def store(feast_repo):
    from feast import FeatureStore

    return FeatureStore(feast_repo)


@pytest.fixture
def run(store, server, tmp_path):
    """Consumes what is in the stream."""

    def consuming(options=UNTIL_IDLE, **more):
        source = RedisStreamSource(server.url, "events")
        return consume(store, source, tmp_path / "log", options, **more)

    return consuming


@pytest.fixture
def publish(server):
    return lambda events: replay(events, RedisStreamSink(server.url, "events"))


def test_windows_reach_back_into_the_history_that_the_log_begins_with(
    store, run, publish, sales, outcome, views, tmp_path
):
    events = sales(3_000)
    seed(store, tmp_path / "log", events.head(2_001))
    seed(store, tmp_path / "log", events.head(10))
    publish(events.slice(2_001))

    summary = run()

    assert (summary.events, summary.recovered) == (999, 0)
    start = events["known_at"][2_001]
    for view in views:
        streamed = outcome.offline(view)
        bulk = outcome.bulk(view, events)
        assert streamed.equals(bulk.filter(bulk["event_timestamp"] >= start))


def test_a_second_run_goes_on_behind_the_first(run, publish, sales, outcome, views):
    events = sales(2_000)
    publish(events.head(1_200))
    run()
    publish(events.slice(1_100))

    summary = run()

    assert (summary.events, summary.duplicates, summary.recovered) == (800, 100, 0)
    for view in views:
        assert outcome.offline(view).equals(outcome.bulk(view, events))


def test_dead_letters_say_why(run, publish, sales, server):
    publish(sales(1_000))
    RedisStreamSink(server.url, "events").publish([b"{", b'{"event_id": "x"}'])

    summary = run()

    letters = redis.Redis.from_url(server.url).xrange("events:dead")
    assert [fields[b"event"] for _, fields in letters] == [b"{", b'{"event_id": "x"}']
    assert letters[1][1][b"reason"] == b"unreadable: kind must be text, not None."
    assert (summary.events, summary.rejected) == (1_000, 2)


def test_metrics_are_served(run, publish, sales):
    publish(sales(500))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    seen, stop = [], threading.Event()

    def scrape():
        def served():
            try:
                url = f"http://127.0.0.1:{port}/metrics"
                text = urllib.request.urlopen(url, timeout=5).read().decode()
            except OSError:
                return False
            seen.append(text)
            return "headrace_stream_events_total 500.0" in text

        try:
            eventually(served)
        finally:
            stop.set()

    scraping = threading.Thread(target=scrape)
    scraping.start()
    run(ConsumerOptions(metrics_port=port), stop=stop)
    scraping.join()

    for name in ("batches_total", "freshness_seconds_bucket", "watermark_timestamp_seconds"):
        assert f"headrace_stream_{name}" in seen[-1]
    run(ConsumerOptions(metrics_port=port, idle_seconds=0.1))


def test_a_port_that_is_taken_is_told(run):
    with socket.socket() as taken:
        taken.bind(("0.0.0.0", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"Metrics cannot be served on port {port}"):
            run(ConsumerOptions(metrics_port=port))


def test_a_log_that_is_in_use_is_told(run, tmp_path, store):
    from headrace.feature_store.rolling.registry import rolling_views
    from headrace.feature_store.streaming.events import event_schema

    log = EventLog(tmp_path / "log", event_schema(store, rolling_views(store)))
    log.open()

    with pytest.raises(StorageError, match="in use by another consumer"):
        run()
    log.close()


def test_a_repository_without_rolling_views_is_told(store, run, feast_repo):
    from feast import FeatureStore

    for view in store.list_feature_views():
        store.delete_feature_view(view.name)

    with pytest.raises(ConfigError, match="has no rolling views"):
        consume(FeatureStore(feast_repo), None, "unused")
