"""Text kept by number: the same rows as Arrow makes of the strings themselves."""

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headrace.feature_store.offline.text import repeated

#: An equal string that is an object of its own, as another read would make.
TWIN = "".join(["LG", "A"])
VALUES = ["EWR", "LGA", TWIN, "", "ü", None, float("nan"), pd.NA]


@settings(max_examples=200, deadline=None)
@given(rows=st.lists(st.sampled_from(VALUES), min_size=10 * len(VALUES), max_size=120))
def test_rows_are_those_of_the_strings(rows):
    series = pd.Series([*rows, "EWR"], dtype=object)
    text = repeated(series)
    assert text.cast(pa.string()).to_pylist() == pa.array(series, from_pandas=True).to_pylist()
    distinct = text.dictionary.to_pylist()
    assert None not in distinct
    assert len(set(distinct)) == len(distinct)


def test_a_column_of_a_frame_need_not_be_in_one_piece():
    frame = pd.DataFrame([["a", "x"], ["b", "y"]] * 50).iloc[::2]
    text = repeated(frame[0])
    assert text.to_pylist() == ["a"] * 50


@pytest.mark.parametrize(
    "values",
    [
        pd.Series([1, 2] * 50),
        pd.Series(["a", "b"] * 50, dtype="string"),
        pd.Series(["a", "b"] * 50, dtype="category"),
        pd.Series([b"a", b"b"] * 50, dtype=object),
        pd.Series([None] * 50, dtype=object),
        pd.Series(["a", 1] * 50, dtype=object),
        pd.Series([], dtype=object),
        pd.Series([f"N{number}" for number in range(50)]),
    ],
    ids=["numbers", "strings", "category", "bytes", "nothing", "mixed", "empty", "distinct"],
)
def test_other_columns_are_left_alone(values):
    assert repeated(values) is None
