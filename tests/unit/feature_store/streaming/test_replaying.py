import threading
import time

import orjson
import polars as pl
import pytest

from headrace.components.shared.errors import ConfigError, DataError
from headrace.feature_store.streaming import replay


class ListSink:
    transient = (ConnectionError,)

    def __init__(self):
        self.ids = []
        self.times = []
        self.failures = 0
        self.waiting = 0

    def publish(self, payloads):
        self.ids += [orjson.loads(payload)["event_id"] for payload in payloads]
        self.times += [time.monotonic()] * len(payloads)
        if self.failures:
            self.failures -= 1
            raise ConnectionError("gone")

    def backlog(self):
        return self.waiting

    def close(self):
        pass


@pytest.fixture
def sink():
    return ListSink()


@pytest.fixture
def events(shop):
    return shop.events(*(shop.event(n, n // 2) for n in reversed(range(20))))


NAMES = [f"{n:04d}" for n in range(20)]


def test_events_come_in_the_order_in_which_they_became_known(events, sink):
    summary = replay(events, sink)

    assert sink.ids == NAMES
    assert (summary.events, summary.remaining, summary.last) == (20, 0, "0019")


def test_a_rate_is_kept(events, sink):
    replay(events, sink, rate=100)

    gaps = sink.times[-1] - sink.times[0]
    assert 0.15 < gaps < 1.0


def test_a_speed_keeps_the_gaps_between_events(events, sink):
    # Nine minutes in 0.3 seconds.
    replay(events, sink, speed=9 * 60 / 0.3)

    assert 0.25 < sink.times[-1] - sink.times[0] < 1.0
    assert sink.ids == NAMES


def test_a_stream_that_is_down_is_waited_for(events, sink):
    sink.failures = 2

    summary = replay(events, sink)

    assert summary.retries == 2
    assert list(dict.fromkeys(sink.ids)) == NAMES


def test_it_goes_on_where_it_was_stopped(events, sink, tmp_path):
    note = tmp_path / "progress.json"
    stop = threading.Event()
    threading.Timer(0.1, stop.set).start()
    first = replay(events, sink, rate=50, progress=note, stop=stop)
    assert first.remaining

    second = replay(events, sink, progress=note)

    assert sink.ids == NAMES
    assert first.events + second.events == 20
    assert replay(events, sink, progress=note).events == 0


def test_it_waits_for_the_consumer(events, sink):
    sink.waiting = 100
    threading.Timer(0.3, lambda: setattr(sink, "waiting", 0)).start()
    began = time.monotonic()

    replay(events, sink, max_backlog=50)

    assert sink.times[0] - began > 0.25


def test_progress_of_another_table_is_refused(events, sink, tmp_path):
    note = tmp_path / "progress.json"
    note.write_text('{"event_id": "other"}')

    with pytest.raises(ConfigError, match="'other' was published last, which is not in the table"):
        replay(events, sink, progress=note)


def test_speed_and_rate_exclude_each_other(events, sink):
    with pytest.raises(ConfigError, match="a speed or a rate; got speed 2 and rate 3"):
        replay(events, sink, speed=2, rate=3)


@pytest.mark.parametrize("options", [{"speed": 0}, {"rate": -1}, {"rate": float("nan")}])
def test_a_speed_or_rate_that_is_not_positive_is_refused(events, sink, options):
    with pytest.raises(ConfigError, match="must be above 0"):
        replay(events, sink, **options)


def test_a_table_without_the_columns_is_refused(events, sink):
    with pytest.raises(DataError, match="it lacks event_id, kind"):
        replay(events.drop("event_id", "kind"), sink)


def test_a_table_of_other_types_is_refused(events, sink):
    with pytest.raises(DataError, match="known_at must be Datetime"):
        replay(events.with_columns(pl.col("known_at").cast(pl.Int64)), sink)


def test_an_empty_table_publishes_nothing(events, sink, tmp_path):
    note = tmp_path / "progress.json"

    assert replay(events.head(0), sink, speed=1, progress=note).events == 0
    assert not note.exists()
