"""What callers give is checked, and refused in words."""

import math

import numpy as np
import pytest

from headrace.serving.edge.runtime.errors import EdgeError
from headrace.serving.edge.runtime.features import Features

FEATURES = Features(
    {"carrier": "string", "distance": "int64", "wind": "float32"}, required=["distance"]
)
ROW = {"carrier": "UA", "distance": 1400, "wind": 3.5}


def test_usual_and_numpy_values_are_taken():
    row = {"carrier": b"UA", "distance": np.int32(1400), "wind": np.float32(3.5)}
    assert FEATURES.row(row) == FEATURES.row(ROW) == ROW


def test_none_is_missing():
    row = FEATURES.row({**ROW, "carrier": None, "wind": None})
    assert row["carrier"] == ""
    assert math.isnan(row["wind"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"distance": None}, "'distance' is missing, and this model always needs it"),
        ({"distance": 2.5}, r"'distance' takes a whole number; got 2.5 \(float\)"),
        ({"distance": 2**63}, "'distance' takes a whole number"),
        ({"distance": True}, r"got True \(bool\)"),
        ({"wind": "strong"}, r"'wind' takes a number; got 'strong' \(str\)"),
        ({"carrier": 7}, "'carrier' takes a text"),
        ({"speed": 1}, "no feature 'speed'"),
    ],
)
def test_what_does_not_fit_is_refused(change, message):
    with pytest.raises(EdgeError, match=message):
        FEATURES.row({**ROW, **change})


def test_an_absent_feature_is_named():
    with pytest.raises(EdgeError, match="also takes carrier, wind") as error:
        FEATURES.row({"distance": 1})
    assert "None where it is unknown" in error.value.fix


def test_columns_may_be_lists_or_arrays():
    columns, rows = FEATURES.columns(
        {
            "carrier": np.array([b"UA", None], object),
            "distance": np.array([[1], [2]], np.int32),
            "wind": [None, 2],
        }
    )
    assert rows == 2
    assert columns["carrier"].tolist() == ["UA", ""]
    assert columns["distance"].dtype == np.int64
    assert columns["wind"].dtype == np.float32
    np.testing.assert_array_equal(columns["wind"], [math.nan, 2])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"wind": [1.0]}, "'wind' has 1 rows, column 'carrier' has 2"),
        ({"wind": [[1.0, 2.0]]}, r"'wind' has shape \[1, 2\]"),
        ({"distance": [1.0, 2.0]}, "'distance' takes a whole number"),
        ({"distance": [1, None]}, "'distance' is missing"),
    ],
)
def test_columns_that_do_not_fit_are_refused(change, message):
    columns = {"carrier": ["UA", "B6"], "distance": [1, 2], "wind": [1.0, 2.0]}
    with pytest.raises(EdgeError, match=message):
        FEATURES.columns({**columns, **change})
