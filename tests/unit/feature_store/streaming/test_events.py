from datetime import UTC, datetime

import orjson
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.feature_store.streaming.events import UnreadableEvent, encode

GOOD = {"event_id": "1", "kind": "sale", "known_at": "2024-05-01T12:00:00Z"}


def changed(**fields):
    return orjson.dumps({**GOOD, **fields})


def test_an_event_is_read_into_the_schemas_columns(shop):
    row = shop.schema.decode(changed(shop="a", till=3, amount=-5, other=[1]))

    assert row == ("1", "sale", datetime(2024, 5, 1, 12, tzinfo=UTC), "a", 3, -5)


@pytest.mark.parametrize(
    "moment",
    [1_714_564_800_000_000, "2024-05-01T12:00:00+00:00", "2024-05-01T14:00:00.000000+02:00"],
)
def test_moments_are_microseconds_or_iso_with_a_zone(shop, moment):
    assert shop.schema.decode(changed(known_at=moment))[2] == datetime(2024, 5, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[]", "not a JSON object"),
        (changed(event_id=1), "event_id must be text, not 1"),
        (changed(event_id=""), "event_id must be text"),
        (changed(kind=None), "kind must be text, not None"),
        (changed(known_at=None), "known_at must be an ISO time or microseconds"),
        (changed(known_at=True), "known_at must be an ISO time or microseconds"),
        (changed(known_at=1.5), "known_at must be an ISO time or microseconds"),
        (changed(known_at="yesterday"), "known_at must be an ISO time or microseconds"),
        (changed(known_at="2024-05-01T12:00:00"), "known_at needs a time zone"),
        (changed(known_at=2**62), "known_at must be"),
        (changed(known_at="0001-01-01T00:00:00Z"), "known_at must be from 1970 to 2200"),
        (changed(known_at=-1), "known_at must be from 1970 to 2200"),
        (changed(shop=7), "shop must be text, not 7"),
        (changed(till="7"), "till must be an integer, not '7'"),
        (changed(amount=1.0), "amount must be an integer, not 1.0"),
        (changed(amount=True), "amount must be an integer, not True"),
        (changed(amount=2**63), "amount does not fit into 64 bits"),
    ],
)
def test_what_is_no_event_is_refused_with_the_reason(shop, payload, reason):
    with pytest.raises(UnreadableEvent, match=reason):
        shop.schema.decode(payload)


FIELDS = st.sampled_from(["event_id", "kind", "known_at", "shop", "till", "amount"])
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(),
    st.text(),
    st.datetimes().map(str),
    st.lists(st.integers(0, 9)),
)


@settings(max_examples=300, deadline=None)
@given(payload=st.one_of(st.binary(), st.dictionaries(FIELDS, VALUES).map(orjson.dumps)))
def test_no_payload_breaks_the_reader(shop, payload):
    try:
        row = shop.schema.decode(payload)
    except UnreadableEvent:
        return
    assert shop.events(row).height == 1


def test_what_is_encoded_can_be_read(shop):
    events = shop.events(shop.event(1, 0), shop.event(2, 5, shop=None, amount=None))

    rows = [shop.schema.decode(payload) for payload in encode(events)]

    assert shop.events(*rows).equals(events)
    assert b"null" not in b"".join(encode(events))


def test_tables_of_other_columns_and_types_are_made_to_fit(shop):
    events = (
        shop.events(shop.event(1, 0))
        .drop("till")
        .with_columns(pl.col("amount").cast(pl.Int32), extra=pl.lit(1))
    )

    assert shop.schema.conform(events).schema == pl.Schema(shop.schema.polars)
