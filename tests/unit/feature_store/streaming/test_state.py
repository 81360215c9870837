"""However a stream is cut, delayed and repeated, the rows are those of the bulk computation."""

from datetime import timedelta
from itertools import pairwise

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.feature_store.rolling.engine import compute, in_order
from headrace.feature_store.streaming.state import RollingState

LATENESS = timedelta(minutes=45)
EVENT = st.tuples(
    st.integers(0, 60).map(lambda step: step * 15),
    st.sampled_from(["sale", "refund", "opened"]),
    st.sampled_from(["a", "b", None]),
    st.sampled_from([1, 2, None]),
    st.one_of(st.none(), st.integers(-9, 9)),
)


@st.composite
def streams(draw):
    """Events in an order that the lateness allows, some twice, in batches."""
    events = [(number, *event) for number, event in enumerate(draw(st.lists(EVENT, max_size=40)))]
    # Delayed by up to the lateness, no event can fall behind the watermark.
    delays = st.integers(0, int(LATENESS.total_seconds() / 60))
    arriving = sorted(events, key=lambda event: event[1] + draw(delays))
    for _ in range(draw(st.integers(0, 8)) if arriving else 0):
        again = draw(st.integers(0, len(arriving) - 1))
        arriving.insert(draw(st.integers(again, len(arriving))), arriving[again])
    cuts = sorted(draw(st.lists(st.integers(0, len(arriving)), max_size=6)))
    edges = [0, *cuts, len(arriving)]
    return events, [arriving[a:b] for a, b in pairwise(edges)]


@settings(max_examples=80, deadline=None)
@given(stream=streams())
def test_any_cutting_gives_the_rows_of_the_bulk_computation(shop, stream):
    events, batches = stream
    state = RollingState(shop.views, shop.schema, LATENESS)
    rows = {view.name: {} for view in shop.views}

    seen, repeated = set(), 0
    for batch in batches:
        done = state.process(shop.events(*(shop.event(*event) for event in batch)))
        for name, frame in done.rows.items():
            rows[name] |= shop.final(name, frame)
        # A repetition of what was let go long ago is late; nothing else is.
        assert seen.issuperset(done.admitted.late["event_id"])
        seen.update(done.admitted.events["event_id"])
        repeated += done.admitted.duplicates + done.admitted.late.height

    everything = in_order(shop.events(*(shop.event(*event) for event in events)))
    for view in shop.views:
        assert rows[view.name] == shop.final(view.name, compute(view, everything))
    assert repeated == sum(map(len, batches)) - len(events)


@settings(max_examples=30, deadline=None)
@given(stream=streams(), cut=st.integers(1, 5))
def test_what_is_accepted_does_not_depend_on_the_batches(shop, stream, cut):
    arriving = [event for batch in stream[1] for event in batch]
    strict = timedelta(minutes=15)

    def accepted(size):
        state = RollingState(shop.views, shop.schema, strict)
        batches = [arriving[at : at + size] for at in range(0, len(arriving), size)]
        done = [state.process(shop.events(*(shop.event(*e) for e in b))) for b in batches]
        return {name for one in done for name in one.admitted.events["event_id"]}

    assert accepted(cut) == accepted(1_000)


def test_an_event_behind_the_watermark_is_handed_back(shop):
    state = RollingState(shop.views, shop.schema, LATENESS)

    done = state.process(
        shop.events(shop.event(1, 100), shop.event(2, 55), shop.event(3, 54), shop.event(4, 101))
    )

    assert done.admitted.late["event_id"].to_list() == ["0003"]
    assert done.admitted.events["event_id"].to_list() == ["0001", "0002", "0004"]
    assert state.watermark == shop.noon + timedelta(minutes=101 - 45)


def test_a_late_event_changes_the_later_rows_of_its_entity_only(shop):
    state = RollingState(shop.views, shop.schema, LATENESS)
    state.process(
        shop.events(shop.event(1, 30), shop.event(2, 40, shop="b"), shop.event(3, 10, amount=4))
    )

    done = state.process(shop.events(shop.event(4, 20, amount=1)))

    minutes = [20, 30]
    assert done.rows["shops"]["event_timestamp"].to_list() == [
        shop.noon + timedelta(minutes=minute) for minute in minutes
    ]
    assert done.rows["shops"]["shop_amount_1h"].to_list() == [2.5, 5.0]


def test_what_no_window_needs_is_let_go(shop):
    state = RollingState(shop.views, shop.schema, LATENESS)

    for number in range(200):
        state.process(shop.events(shop.event(number, number * 15)))

    # Three hours of windows and 45 minutes of lateness, one event in 15 minutes.
    assert len(state) == 1 + (180 + 45) // 15


def test_a_repeated_event_within_a_batch_counts_once(shop):
    state = RollingState(shop.views, shop.schema, LATENESS)

    done = state.process(shop.events(shop.event(1, 0), shop.event(1, 0), shop.event(2, 0)))

    assert done.admitted.duplicates == 1
    assert done.rows["tills"]["till_amount_2h"].to_list() == [20]


def test_a_restored_state_goes_on_as_if_nothing_had_happened(shop):
    events = [shop.event(number, number * 7) for number in range(60)]
    whole = RollingState(shop.views, shop.schema, LATENESS)
    whole.process(shop.events(*events[:50]))
    restored = RollingState(shop.views, shop.schema, LATENESS)
    restored.restore(shop.events(*events[:50]))

    after = [state.process(shop.events(*events[50:])).rows for state in (whole, restored)]

    for name in ("shops", "tills"):
        assert after[0][name].equals(after[1][name])


def test_events_of_unknown_kinds_give_no_rows(shop):
    state = RollingState(shop.views, shop.schema, LATENESS)

    done = state.process(shop.events(shop.event(1, 0, kind="other")))

    assert done.rows == {}
    assert done.admitted.events.height == 1


def test_an_empty_batch_does_nothing(shop):
    state = RollingState(shop.views, shop.schema, LATENESS)

    assert state.process(shop.schema.frame()).rows == {}
    assert state.watermark is None


@pytest.mark.parametrize("count", [9_000])
def test_large_windows_are_computed_for_the_entities_of_the_batch_alone(shop, count):
    """The shortcut for long horizons gives the same rows."""
    events = shop.events(
        *(shop.event(n, n // 100, shop=f"s{n % 50}", till=n % 7) for n in range(count))
    )
    state = RollingState(shop.views, shop.schema, LATENESS)
    state.process(events.head(count - 10))

    rows = state.process(events.tail(10)).rows

    for view in shop.views:
        bulk = shop.final(view.name, compute(view, in_order(events)))
        mine = shop.final(view.name, rows[view.name])
        assert mine == {key: bulk[key] for key in mine}
        assert len(mine) == rows[view.name].select(pl.struct(view.keys)).n_unique()
