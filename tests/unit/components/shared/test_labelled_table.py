"""The labelled table: what is refused before anything is learnt."""

import datetime as dt
import math

import polars as pl
import pytest

from headrace.components.shared.config.data import Features
from headrace.components.shared.config.project import Label
from headrace.components.shared.errors import DataError
from headrace.components.shared.labelled_table import checked

GOOD = {"y": [0, 1, 0, 1], "a": [1.0, 2.0, 3.0, 4.0]}
TIMES = [dt.datetime(2020, 1, day, tzinfo=dt.UTC) for day in (1, 2, 3, 4)]


def build(columns, task="binary_classification", **features):
    label = Label(column="y", task=task)
    return checked(pl.DataFrame(columns, strict=False), label, Features(**features))


@pytest.mark.parametrize(
    ("features", "key"),
    [
        ({"exclude": ["aa"]}, "features.exclude"),
        ({"prediction_time": "aa"}, "features.prediction_time"),
        ({"prediction_time": "t", "known_at": {"a": "aa"}}, "features.known_at"),
        ({"prediction_time": "t", "known_at": {"aa": "t"}}, "features.known_at"),
    ],
)
def test_a_column_that_the_project_names_must_be_there(features, key):
    with pytest.raises(DataError) as caught:
        build({**GOOD, "t": TIMES}, **features)
    assert f"no column 'aa', which {key} names" in caught.value.message
    assert "Did you mean 'a'?" in caught.value.fix


def test_a_lost_label_column_is_named():
    with pytest.raises(DataError, match=r"no column 'y', which label\.column names"):
        build({"z": [0, 1], "a": [1, 2]})


def test_times_to_compare_must_be_times():
    with pytest.raises(DataError, match="Column 't' is String"):
        build({**GOOD, "t": ["x"] * 4}, prediction_time="t", known_at={"a": "t"})


@pytest.mark.parametrize(
    ("label", "task", "expected"),
    [
        ([1, 1, 1, 1], "binary_classification", "only the value 1 occurs"),
        ([3.0] * 4, "regression", "only the value 3 occurs"),
        ([0, 1, 2, 0], "binary_classification", "values 0, 1, 2; a binary label is 0 or 1"),
        ([0, 1, None, 0], "binary_classification", "1 of 4 values are missing"),
        ([None] * 4, "binary_classification", "all 4 values are missing"),
        (["no", "yes"] * 2, "binary_classification", "String is not a number"),
        ([1.0, math.nan, 2.0, 3.0], "regression", "NaN or infinite"),
        ([1.0, math.inf, 2.0, 3.0], "regression", "NaN or infinite"),
    ],
)
def test_a_label_that_cannot_be_learnt_is_refused(label, task, expected):
    with pytest.raises(DataError) as caught:
        build({**GOOD, "y": label}, task=task)
    assert f"Label 'y': {expected}" in caught.value.message
    assert caught.value.fix


@pytest.mark.parametrize(("value", "shown"), [(math.inf, "inf"), (-math.inf, "-inf"), (1e39, "1e")])
def test_an_infinite_feature_is_refused_with_its_row(value, shown):
    with pytest.raises(DataError) as caught:
        build({**GOOD, "a": [1.0, None, value, 2.0]})
    assert f"Feature 'a', row 3: {shown}" in caught.value.message


def test_nan_becomes_missing():
    assert build({**GOOD, "a": [1.0, math.nan, 0.0, None]})["a"].to_list() == [1.0, None, 0.0, None]


@pytest.mark.parametrize(
    "values", [[None] * 4, [math.nan] * 4, pl.Series([None] * 4, dtype=pl.String)]
)
def test_a_feature_without_any_value_is_refused(values):
    with pytest.raises(DataError, match="Feature 'a' has no value in any of 4 rows"):
        build({**GOOD, "a": values})


def test_a_hidden_column_may_be_empty_or_infinite():
    columns = {**GOOD, "b": [None] * 4, "c": [math.inf] * 4}
    assert build(columns, exclude=["b"], known_after=["c"]).width == 4


@pytest.mark.parametrize("values", [[[1], [2], [3], [4]], [{"x": 1}] * 4, [b"x"] * 4])
def test_a_column_of_lists_structs_or_bytes_is_refused(values):
    with pytest.raises(DataError, match=r"Column 'b' is .*numbers, texts, booleans or times"):
        build({**GOOD, "b": values})
