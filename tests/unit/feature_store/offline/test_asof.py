"""Which row was the latest: the kernel against plain Python."""

import itertools
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.feature_store.offline.asof import CREATED, EVENT, TIME, latest
from headrace.feature_store.offline.times import MOMENT

TEXT = pl.Enum(["2", "0", "1"])
START = datetime(2026, 1, 1, tzinfo=UTC)
moments = st.integers(0, 6).map(lambda hours: START + timedelta(hours=hours))
keys = st.one_of(st.none(), st.integers(0, 2))


def naive(label, history, *, ttl, known):
    """The position of the row that counts, by trying all."""
    seen = [
        (event, created is not None, created or START, position)
        for position, (event, created, *key) in enumerate(history)
        if key == label[1:]
        and None not in key
        and event <= label[0]
        and (ttl is None or event >= label[0] - ttl)
        and not (known and (created is None or created > label[0]))
    ]
    return max(seen)[-1] if seen else None


def run(labels, history, names, *, with_created=True, kind=pl.Int64, **options):
    left = pl.DataFrame(
        labels, schema={TIME: MOMENT} | dict.fromkeys(names, pl.Int64), orient="row"
    )
    right = pl.DataFrame(
        history,
        schema={EVENT: MOMENT, CREATED: MOMENT} | dict.fromkeys(names, pl.Int64),
        orient="row",
    )
    if not with_created:
        right = right.drop(CREATED)
    if kind == TEXT:
        as_text = pl.col(names).cast(pl.String).cast(TEXT)
        left, right = left.with_columns(as_text), right.with_columns(as_text)
    # As the join does: rows without a key are not worth reading.
    whole = right.with_row_index("position").drop_nulls(names or [EVENT])
    asked = left.with_row_index("row").sort(TIME)
    found = asked.select("row", at=latest(asked, whole, keys=names, **options)).sort("row")["at"]
    return [None if at is None else whole["position"][at] for at in found]


@pytest.mark.parametrize("kind", [pl.Int64, TEXT], ids=["numbers", "text"])
@pytest.mark.parametrize("names", [[], ["a"], ["a", "b"]], ids=["no key", "one key", "two keys"])
def test_the_latest_row_is_the_one_that_trying_all_finds(names, kind):
    key = [keys] * len(names)

    @settings(max_examples=150, deadline=None)
    @given(
        labels=st.lists(st.tuples(moments, *key), max_size=8),
        history=st.lists(st.tuples(moments, st.one_of(st.none(), moments), *key), max_size=12),
        ttl=st.one_of(st.none(), st.integers(0, 4).map(lambda hours: timedelta(hours=hours))),
        known=st.booleans(),
    )
    def check(labels, history, ttl, known):
        expected = [naive(list(label), history, ttl=ttl, known=known) for label in labels]
        assert run(labels, history, names, kind=kind, ttl=ttl, known=known) == expected

    check()


@pytest.mark.parametrize("names", [["a"], ["a", "b"]], ids=["one key", "two keys"])
def test_histories_that_stand_key_by_key_need_no_order_of_time(names):
    key = [st.integers(0, 1)] * len(names)
    everyone = itertools.product((0, 1), repeat=len(names))
    labels = [(START + timedelta(hours=n), *who) for who in everyone for n in (2, 4, 6)]

    @settings(max_examples=150, deadline=None)
    @given(
        history=st.lists(st.tuples(moments, st.none(), *key), max_size=12),
        # One row out of its place, or none: then keys stand together no longer.
        moved=st.one_of(st.none(), st.tuples(st.integers(0, 11), st.integers(0, 11))),
    )
    def check(history, moved):
        history.sort(key=lambda row: (row[2:], row[0]))
        if moved and history:
            row = history.pop(moved[0] % len(history))
            history.insert(moved[1] % (len(history) + 1), row)
        expected = [naive(list(label), history, ttl=None, known=False) for label in labels]
        found = run(labels, history, names, with_created=False, ttl=None, known=False)
        assert found == expected

    check()


def test_without_a_created_column_the_last_row_of_a_tie_counts():
    history = [(START, None, 1), (START, None, 2), (START, None, 1)]
    assert run([(START, 1)], history, ["a"], with_created=False, ttl=None, known=False) == [2]


def test_asking_for_known_rows_without_a_created_column_changes_nothing():
    history = [(START, None, 1)]
    assert run([(START, 1)], history, ["a"], with_created=False, ttl=None, known=True) == [0]


def test_a_late_correction_of_an_old_event_does_not_hide_a_newer_event():
    hour = timedelta(hours=1)
    history = [
        (START, START, 1),
        (START + hour, START + hour, 1),
        (START, START + 2 * hour, 1),  # corrects the first when the second is known already
    ]
    labels = [(START, 1), (START + hour, 1), (START + 3 * hour, 1)]
    assert run(labels, history, ["a"], ttl=None, known=True) == [0, 1, 1]
