"""Answers as JSON: whatever a feature or an on-demand view can give must arrive unharmed."""

import datetime as dt
import decimal
import json
import math
import uuid

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.feature_store.online.result import OnlineFeatures, Rows, Status
from headrace.feature_store.server import wire

NUMBERS = st.floats() | st.integers(-(1 << 70), 1 << 70) | st.none() | st.booleans()
VALUES = st.recursive(
    NUMBERS | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
)


def as_protobuf(value):
    """NaN and infinity as text; JSON knows all the rest."""
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, dict):
        return {name: as_protobuf(item) for name, item in value.items()}
    return [as_protobuf(item) for item in value] if isinstance(value, list) else value


@given(VALUES)
def test_every_value_arrives(value):
    assert json.loads(wire.encode([value])) == [as_protobuf(value)]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"\x00\xff", "AP8="),
        (dt.datetime(2013, 7, 1, tzinfo=dt.UTC), 1372636800),
        (dt.date(2013, 7, 1), "2013-07-01"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (decimal.Decimal("1.50"), "1.50"),
        ((1, 2), [1, 2]),
        ({3}, [3]),
        (frozenset({math.nan}), ["NaN"]),
        (np.int64(1), 1),
        (np.float32(0.5), 0.5),
        (np.float32("nan"), "NaN"),
        (np.array([1.0, np.inf]), [1.0, "Infinity"]),
        ({1: np.float64("nan")}, {"1": "NaN"}),
        ("\ud800", "\ud800"),
    ],
)
def test_what_json_has_no_form_for(value, expected):
    assert json.loads(wire.encode([value])) == [expected]


@given(st.lists(st.lists(st.floats() | st.none() | st.just("null"), min_size=2, max_size=2)))
def test_answers_say_what_is_missing_and_keep_what_is_no_number(columns):
    rows = Rows("v", [Status.PRESENT, Status.PRESENT], [0, 1_372_636_800_000_000])
    names = [f"f{number}" for number in range(len(columns))]
    found = OnlineFeatures(names, columns, [0] * len(columns), [rows], 0.0)
    content, missing = wire.answer(found)
    answer = json.loads(content)
    assert answer["metadata"] == {"feature_names": names}
    assert missing == sum(column.count(None) for column in columns)
    for result, column in zip(answer["results"], columns, strict=True):
        assert result["values"] == as_protobuf(column)
        expected = ["NULL_VALUE" if value is None else "PRESENT" for value in column]
        assert result["statuses"] == expected
        assert result["event_timestamps"] == ["1970-01-01T00:00:00Z", "2013-07-01T00:00:00Z"]
