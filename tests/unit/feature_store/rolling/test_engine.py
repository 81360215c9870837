"""Rolling statistics against a computation that looks at every event for every row."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.feature_store.rolling.definition import RollingView, Statistic, last, windows
from headrace.feature_store.rolling.engine import compute, in_order, recent, touched

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
SCHEMA = {
    "event_id": pl.String,
    "kind": pl.String,
    "known_at": pl.Datetime("us", "UTC"),
    "shop": pl.String,
    "till": pl.Int64,
    "amount": pl.Int64,
}
VIEW = RollingView(
    name="tills",
    keys=("shop", "till"),
    statistics=(
        *windows("sale", "sale", ["amount"], [1, 3]),
        *windows("sold", "sale", ["amount"], [2], function="sum"),
        Statistic("refunds_2h", "count", "refund", window=timedelta(hours=2)),
        *last({"last_amount": "amount"}),
    ),
    kinds=("opened",),
)


def table(*rows):
    """Events of (kind, minute, shop, till, amount), numbered in this order."""
    return in_order(
        pl.DataFrame(
            [
                (f"{number:03d}", kind, NOON + timedelta(minutes=minute), shop, till, amount)
                for number, (kind, minute, shop, till, amount) in enumerate(rows)
            ],
            schema=SCHEMA,
            orient="row",
        )
    )


def slowly(view, events):
    """The definition in plain Python."""
    own = [e for e in events.to_dicts() if e["kind"] in view.triggers]
    own = [e for e in own if all(e[key] is not None for key in view.keys)]
    rows = {}
    for event in own:
        key = tuple(event[name] for name in view.keys)
        now = event["known_at"]
        mine = [e for e in own if tuple(e[name] for name in view.keys) == key]
        rows[(*key, now)] = [statistic(s, mine, now) for s in view.statistics]
    return rows


def statistic(wanted, mine, now):
    if wanted.function == "last":
        return [e for e in mine if e["known_at"] <= now][-1][wanted.column]
    inside = [
        e for e in mine if e["kind"] == wanted.kind and now - wanted.window < e["known_at"] <= now
    ]
    if wanted.function == "count":
        return len(inside)
    total = sum(e[wanted.column] or 0 for e in inside)
    if wanted.function == "sum":
        return total
    return total / len(inside) if inside else None


def as_dict(view, rows):
    keys = [*view.keys, "event_timestamp"]
    return {
        tuple(row[name] for name in keys): [row[name] for name in view.features]
        for row in rows.to_dicts()
    }


EVENTS = st.lists(
    st.tuples(
        st.sampled_from(["sale", "refund", "opened", "unknown"]),
        # A grid, so that moments coincide and events lie exactly on a window's end.
        st.integers(0, 20).map(lambda step: step * 20),
        st.sampled_from(["a", "b", None]),
        st.sampled_from([1, 2, None]),
        st.one_of(st.none(), st.integers(-50, 50)),
    ),
    max_size=40,
)


@settings(max_examples=150, deadline=None)
@given(EVENTS)
def test_rows_are_what_the_definition_says(rows):
    events = table(*rows)

    computed = compute(VIEW, events)

    assert as_dict(VIEW, computed) == slowly(VIEW, events)
    assert computed["event_timestamp"].is_sorted()


def test_a_window_excludes_its_far_end_and_includes_its_own_moment():
    events = table(("sale", 0, "a", 1, 10), ("sale", 60, "a", 1, 30), ("sale", 60, "a", 1, 50))

    rows = compute(VIEW, events)

    assert rows["sale_amount_1h"].to_list() == [10, 40]
    assert rows["sold_amount_2h"].to_list() == [10, 90]


def test_the_newest_event_of_a_moment_is_the_one_with_the_highest_id():
    events = table(("sale", 0, "a", 1, 10), ("opened", 0, "a", 1, 99))

    assert compute(VIEW, events)["last_amount"].to_list() == [99]


def test_an_empty_table_gives_no_rows_with_all_columns():
    rows = compute(VIEW, table())

    assert rows.is_empty()
    assert rows.columns == ["shop", "till", "event_timestamp", *VIEW.features]


def test_the_columns_do_not_depend_on_the_events():
    some = compute(VIEW, table(("sale", 0, "a", 1, 10)))

    assert some.schema == compute(VIEW, table()).schema


def test_rows_are_computed_for_the_moments_that_are_asked_for():
    events = table(("sale", 0, "a", 1, 10), ("sale", 20, "a", 1, 30), ("sale", 20, "b", 1, 5))
    wanted = events.filter(pl.col("shop") == "a").tail(1)

    rows = compute(VIEW, events, wanted)

    assert rows.rows() == [("a", 1, NOON + timedelta(minutes=20), 20.0, 20.0, 40, 0, 30)]


def test_before_its_first_event_an_entity_has_nothing():
    events = table(("sale", 0, "a", 1, 10), ("sale", 50, "b", 1, 30))
    wanted = events.select(shop=pl.lit("b"), till=pl.lit(1, pl.Int64), known_at="known_at")

    rows = compute(VIEW, events, wanted)

    assert rows["last_amount"].to_list() == [None, 30]
    assert rows["sale_amount_1h"].to_list() == [None, 30]
    assert rows["sold_amount_2h"].to_list() == [0, 30]


@settings(max_examples=100, deadline=None)
@given(EVENTS, st.integers(0, 40))
def test_rows_that_are_not_touched_do_not_change(rows, number):
    events = table(*rows)
    new = events.filter(pl.col("event_id") == f"{number:03d}")
    before = as_dict(VIEW, compute(VIEW, events.filter(pl.col("event_id") != f"{number:03d}")))

    changed = as_dict(VIEW, compute(VIEW, events, touched(VIEW, events, new)))

    assert {**before, **changed} == as_dict(VIEW, compute(VIEW, events))


@pytest.mark.parametrize("kind", ["unknown", "sale"])
def test_an_event_that_concerns_no_entity_touches_nothing(kind):
    events = table(("sale", 0, "a", 1, 10), (kind, 10, None, 1, 10))

    moments = touched(VIEW, events, events.tail(1))

    assert moments.is_empty()
    assert compute(VIEW, events, moments).is_empty()


def test_recent_events_include_the_moment_itself():
    events = table(("sale", 0, "a", 1, 10), ("sale", 20, "a", 1, 30))

    assert recent(events, NOON + timedelta(minutes=20)).height == 1
    assert recent(events, NOON).height == 2
