"""Which row goes where: complete, stable, and refused when a split would be empty."""

import datetime as dt

import numpy as np
import polars as pl
import pytest

from headrace.components.data.example_gen.splits import assign
from headrace.components.shared.config.data import Split
from headrace.components.shared.errors import ConfigError, DataError

ROWS = 1000
EXPECTED = ["eval", "eval", "eval", "train", "train", "test", "train", "train", "train", "eval"]


@pytest.fixture
def table():
    rng = np.random.default_rng(0)
    return pl.DataFrame(
        {
            "row": range(ROWS),
            "key": rng.integers(0, 300, ROWS),
            "text": [f"t{i}" for i in range(ROWS)],
            "number": rng.normal(size=ROWS),
        }
    )


def split(table, **rule):
    return assign(table, Split.parse(rule, where="test"))


def where(parts):
    """Row number to split."""
    return {row: name for name, part in parts.items() for row in part["row"]}


@pytest.mark.parametrize("column", [None, "key", "text"])
def test_every_row_goes_to_exactly_one_split_in_the_order_it_had(table, column):
    parts = split(table, by="hash", column=column)
    rows = [row for part in parts.values() for row in part["row"]]
    assert sorted(rows) == list(range(ROWS))
    assert all(part["row"].is_sorted() for part in parts.values())


def test_shares_are_about_what_was_asked(table):
    parts = split(table, by="hash", buckets={"train": 7, "eval": 1, "test": 2})
    assert parts["train"].height == pytest.approx(700, abs=60)
    assert parts["test"].height == pytest.approx(200, abs=50)


def test_rows_with_the_same_key_stay_together(table):
    parts = split(table, by="hash", column="key")
    keys = [set(part["key"]) for part in parts.values()]
    assert not (keys[0] & keys[1] or keys[0] & keys[2] or keys[1] & keys[2])


@pytest.mark.parametrize("column", [None, "key", "text"])
def test_a_row_keeps_its_split_when_rows_come_go_or_move(table, column):
    before = where(split(table, by="hash", column=column))
    after = where(split(table.sample(600, shuffle=True, seed=1), by="hash", column=column))
    assert all(before[row] == name for row, name in after.items())


@pytest.mark.parametrize("column", [None, "key"])
def test_a_row_keeps_its_split_when_a_missing_value_appears_elsewhere(table, column):
    before = where(split(table, by="hash", column=column))
    key = pl.when(pl.col("row") == 5).then(None).otherwise(pl.col("key")).alias("key")
    after = where(split(table.with_columns(key), by="hash", column=column))
    moved = [row for row, name in after.items() if before[row] != name and row != 5]
    assert moved == []


def test_the_assignment_does_not_depend_on_the_machine_or_version():
    table = pl.DataFrame({"row": range(10), "key": [f"k{i}" for i in range(10)]})
    names = where(split(table, by="hash", column="key", buckets={"train": 1, "eval": 1, "test": 1}))
    assert [names[i] for i in range(10)] == EXPECTED


def test_by_time_the_limits_are_the_first_moments_that_no_longer_belong():
    days = [dt.datetime(2020, 1, day, tzinfo=dt.UTC) for day in range(1, 11)]
    table = pl.DataFrame({"row": range(10), "t": days})
    until = {"train": "2020-01-04", "eval": "2020-01-06T00:00:00Z", "test": "2020-01-09"}
    parts = split(table, by="time", column="t", until=until)
    assert {name: part["row"].to_list() for name, part in parts.items()} == {
        "train": [0, 1, 2],
        "eval": [3, 4],
        "test": [5, 6, 7],
    }


def test_a_limit_in_another_zone_is_the_same_moment():
    times = [dt.datetime(2020, 1, 1, hour, tzinfo=dt.UTC) for hour in range(10)]
    table = pl.DataFrame({"row": range(10), "t": times})
    until = {
        "train": "2020-01-01T00:00:00-05:00",
        "eval": "2020-01-01T07:00:00Z",
        "test": "2020-01-01T09:00:00Z",
    }
    parts = split(table, by="time", column="t", until=until)
    assert parts["eval"]["row"].to_list() == [5, 6]


def test_by_column_the_table_says_it():
    table = pl.DataFrame({"row": range(4), "part": ["test", "train", "eval", "train"]})
    parts = split(table, by="column", column="part")
    assert where(parts) == {0: "test", 1: "train", 2: "eval", 3: "train"}


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["train", "eval", "validation"], "it also says validation"),
        (["train", "eval", None], "nothing in some rows"),
    ],
)
def test_by_column_other_names_are_refused(names, expected):
    with pytest.raises(DataError, match=expected):
        split(pl.DataFrame({"part": names}), by="column", column="part")


def test_a_split_without_rows_is_named():
    table = pl.DataFrame({"part": ["train", "test"]})
    with pytest.raises(DataError, match="Split 'eval' would have no rows"):
        split(table, by="column", column="part")


def test_a_column_that_is_not_there_gets_the_nearest_name(table):
    with pytest.raises(ConfigError) as caught:
        split(table, by="hash", column="keys")
    assert "Did you mean 'key'?" in caught.value.fix


def test_splitting_by_time_needs_a_timestamp_in_every_row(table):
    until = {"train": "2020-01-01", "eval": "2020-02-01", "test": "2020-03-01"}
    with pytest.raises(ConfigError, match="splitting by time needs a timestamp"):
        split(table, by="time", column="text", until=until)
    times = pl.DataFrame({"t": [dt.datetime(2020, 1, 1), None]})
    with pytest.raises(DataError, match="missing in 1 rows"):
        split(times, by="time", column="t", until=until)
