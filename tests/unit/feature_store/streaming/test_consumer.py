"""A crash at any point loses nothing and counts nothing twice."""

import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.feature_store.online.errors import OnlineStoreError
from headrace.feature_store.rolling.engine import compute, in_order
from headrace.feature_store.streaming.consumer import Consumer, ConsumerOptions, Writers
from headrace.feature_store.streaming.log import EventLog
from headrace.feature_store.streaming.metrics import Metrics
from headrace.feature_store.streaming.retry import Patience

OPTIONS = ConsumerOptions(batch=7, poll_seconds=0, idle_seconds=0, flush_rows=25)


class Crash(BaseException):
    """A kill -9, as far as the code under test is concerned."""


class Crashing:
    """Ends the consumer at the n-th of the calls that change something."""

    def __init__(self):
        self.left = None

    def step(self):
        if self.left is not None:
            self.left -= 1
            if self.left < 0:
                self.left = None
                raise Crash


class Rows:
    """A store: of a key and moment the row that was created last counts."""

    def __init__(self, shop, crashing):
        self.shop = shop
        self.crashing = crashing
        self.rows = {view.name: {} for view in shop.views}
        self.failures = []

    def write(self, rows):
        if self.failures:
            raise self.failures.pop()
        for name, frame in rows.items():
            self.crashing.step()
            self.rows[name] |= self.shop.final(name, frame)
        self.crashing.step()

    def compact(self):
        pass


@pytest.fixture(scope="module")
def world(shop, memory_source, tmp_path_factory):
    return lambda payloads: World(shop, memory_source(payloads), tmp_path_factory.mktemp("log"))


class World:
    """What outlives a consumer."""

    def __init__(self, shop, source, folder):
        self.shop = shop
        self.source = source
        self.folder = folder
        self.crashing = Crashing()
        self.online, self.offline = (Rows(shop, self.crashing) for _ in range(2))
        self._before(source, "commit")
        self._before(source, "dead_letter")

    def run(self, options=OPTIONS, stop=None):
        log = EventLog(self.folder, self.shop.schema)
        log.open()
        self._before(log, "append")
        self._before(log, "mark_flushed")
        try:
            return Consumer(
                self.shop.views,
                self.shop.schema,
                self.source,
                log,
                Writers(self.online, self.offline),
                options,
                Metrics(),
                stop or threading.Event(),
            ).run()
        finally:
            log.close()

    def _before(self, owner, name):
        method = getattr(owner, name)

        def call(*arguments):
            self.crashing.step()
            result = method(*arguments)
            self.crashing.step()
            return result

        setattr(owner, name, call)


def expected(shop, events):
    bulk = in_order(shop.events(*events))
    return {view.name: shop.final(view.name, compute(view, bulk)) for view in shop.views}


@settings(max_examples=20, deadline=None)
@given(crashes=st.lists(st.integers(0, 30), max_size=5))
def test_rows_are_those_of_the_bulk_computation_wherever_it_crashes(shop, world, crashes):
    events = [shop.event(n, n * 11 % 400 // 30 + n * 4, shop="ab"[n % 2]) for n in range(40)]
    one = world([shop.payload(event) for event in events])

    for point in crashes:
        one.crashing.left = point
        with suppress(Crash):
            one.run()
    one.crashing.left = None
    one.run()

    assert one.online.rows == expected(shop, events)
    assert one.offline.rows == expected(shop, events)
    assert one.source.committed == set(range(40))


def test_what_cannot_be_used_goes_to_the_dead_letters(world, shop):
    late = shop.event(3, -500)
    ahead = shop.schema.frame([shop.event(4, 0)])
    future = datetime.now(UTC) + timedelta(days=1)
    event = (*ahead.row(0)[:2], future, *ahead.row(0)[3:])
    one = world([shop.payload(shop.event(1, 0)), b"{", shop.payload(late), shop.payload(event)])

    summary = one.run()

    reasons = [letter.reason for letter in one.source.letters]
    assert reasons[0].startswith("unreadable: It is not JSON")
    assert reasons[1].startswith("unreadable: known_at is in the future")
    assert reasons[2].startswith("late: 2024-05-01T03:40:00+00:00 is before the watermark")
    assert (summary.events, summary.rejected, summary.late) == (1, 2, 1)
    assert one.source.committed == {0, 1, 2, 3}


def test_the_summary_tells_what_was_done(world, shop):
    events = [shop.payload(shop.event(n, n)) for n in range(10)]

    summary = world([*events, events[0]]).run()

    assert (summary.events, summary.duplicates, summary.batches) == (10, 1, 2)
    assert summary.offline_rows == 20
    assert summary.freshness_p99 >= summary.freshness_p50 > 0
    assert summary.watermark == shop.noon + timedelta(minutes=9) - OPTIONS.lateness


def test_a_store_that_is_down_is_waited_for(world, shop, caplog):
    one = world([shop.payload(shop.event(1, 0))])
    one.online.failures = [OnlineStoreError("Redis is down.", fix="Start it.")] * 2

    summary = one.run()

    assert summary.retries == 2
    assert one.online.rows == expected(shop, [shop.event(1, 0)])
    assert "Writing online failed (Redis is down.); attempt 2 in 0.05 s" in caplog.text


def test_it_can_be_stopped_while_it_waits(world, shop):
    one = world([shop.payload(shop.event(1, 0))])
    one.online.failures = [OnlineStoreError("Redis is down.", fix="Start it.")] * 1_000
    stop = threading.Event()
    threading.Timer(0.2, stop.set).start()

    summary = one.run(stop=stop)

    assert summary.events == 0
    assert one.source.committed == set()


def test_errors_that_do_not_go_away_are_not_waited_for():
    def fail():
        raise ValueError("wrong")

    with pytest.raises(ValueError, match="wrong"):
        Patience(threading.Event()).call("Doing", (ConnectionError,), fail)


def test_rows_are_created_after_all_earlier_ones_even_when_the_clock_goes_back(world, shop):
    one = world([shop.payload(shop.event(1, 0))])
    ahead = datetime.now(UTC) + timedelta(hours=1)
    log = EventLog(one.folder, shop.schema)
    log.open()
    log.append(shop.events(shop.event(0, 0)), ahead)
    log.mark_flushed(1)
    log.close()
    one.run()
    log.open()

    assert log.created() == ahead + timedelta(microseconds=1)
    log.close()
