"""Point-in-time joins through Feast: what is joined, to which rows, under which names."""

from datetime import UTC, date, datetime

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from feast import FeatureService


@pytest.fixture
def simple(project):
    """One view: key 1 has x = 10 at hour 0 and 11 at hour 2, key 2 has 20 at hour 1."""
    project.write("v.parquet", {"k": [1, 1, 2], "ts": [0, 2, 1], "x": [10, 11, 20]})
    return project.store(project.view("v", ttl=4))


def test_rows_keep_their_number_order_and_duplicates(project, simple):
    table = project.ask(
        simple,
        ["v:x"],
        {
            "label": list("abcdef"),
            "k": [2, 1, 1, 9, 1, 1],
            "event_timestamp": [1, 3, 3, 3, -1, 0],
        },
    )
    assert table.column_names == ["label", "k", "event_timestamp", "x"]
    assert table["label"].to_pylist() == list("abcdef")
    assert table["x"].to_pylist() == [20, 11, 11, None, None, 10]


def test_a_row_counts_from_its_time_to_its_time_plus_ttl_both_included(project, simple):
    columns = {"k": [2, 2, 2, 2], "event_timestamp": [0.999, 1, 5, 5.001]}
    assert project.ask(simple, ["v:x"], columns)["x"].to_pylist() == [None, 20, 20, None]


def test_a_row_beyond_ttl_hides_older_rows_and_ttl_zero_is_forever(project):
    project.write("v.parquet", {"k": [1], "ts": [0], "x": [1]})
    store = project.store(project.view("v"))
    columns = {"k": [1], "event_timestamp": [100_000]}
    assert project.ask(store, ["v:x"], columns)["x"].to_pylist() == [1]


def test_of_a_tie_the_one_created_last_counts(project):
    project.write("v.parquet", {"k": [1, 1, 1], "ts": [0, 0, 0], "made": [2, 5, 3], "x": [1, 2, 3]})
    store = project.store(project.view("v", created_timestamp_column="made"))
    columns = {"k": [1], "event_timestamp": [9]}
    assert project.ask(store, ["v:x"], columns)["x"].to_pylist() == [2]


def test_of_a_tie_without_creation_the_last_row_of_the_last_file_counts(project):
    for name, value in (("b", 3), ("a", 1)):
        project.write(f"v/{name}.parquet", {"k": [1, 1], "ts": [0, 0], "x": [value, value + 1]})
    store = project.store(project.view("v", path="v"))
    columns = {"k": [1], "event_timestamp": [9]}
    assert project.ask(store, ["v:x"], columns)["x"].to_pylist() == [4]


def test_rows_created_after_the_label_can_be_left_out(project):
    project.write("v.parquet", {"k": [1, 1], "ts": [0, 1], "made": [0, 5], "x": [1, 2]})
    store = project.store(project.view("v", created_timestamp_column="made"))
    columns = {"k": [1, 1], "event_timestamp": [3, 5]}
    for known, expected in ((False, [2, 2]), (True, [1, 2])):
        table = project.ask(store, ["v:x"], columns, filter_by_created_timestamp=known)
        assert table["x"].to_pylist() == expected


def test_several_join_keys_must_all_be_equal(project):
    project.write(
        "v.parquet", {"a": [1, 1, 2], "b": ["x", "y", "x"], "ts": [0] * 3, "x": [1, 2, 3]}
    )
    store = project.store(project.view("v", keys=("a", "b"), kinds={"b": pl.String}))
    columns = {"a": [1, 2, 2], "b": ["y", "x", "y"], "event_timestamp": [1, 1, 1]}
    assert project.ask(store, ["v:x"], columns)["x"].to_pylist() == [2, 3, None]


def test_a_missing_join_key_joins_to_nothing_on_either_side(project):
    project.write("v.parquet", {"k": [None, 1], "ts": [0, 0], "x": [7, 1]})
    store = project.store(project.view("v"))
    columns = {"k": [None, 1, None], "event_timestamp": [1, 1, 1]}
    assert project.ask(store, ["v:x"], columns)["x"].to_pylist() == [None, 1, None]


@pytest.mark.parametrize(
    ("keys", "schema"),
    [
        ([1, 2], {"k": pl.Int32}),
        ([1.0, 2.5], {"k": pl.UInt8}),
        (pd.Categorical(["1", "2"]), {"k": pl.String}),
        (["1", "2"], {"k": pl.Categorical}),
        ([None, None], {"k": pl.Int64}),
    ],
    ids=["widths", "floats for integers", "category for text", "text for category", "nothing"],
)
def test_join_keys_of_related_types_are_compared_by_value(project, keys, schema):
    is_text = schema["k"] in (pl.String, pl.Categorical)
    source = ["1", "9"] if is_text else [1, 9]
    project.write("v.parquet", {"k": source, "ts": [0, 0], "x": [1, 9]}, schema)
    store = project.store(project.view("v", kinds={"k": pl.String if is_text else pl.Int64}))
    table = project.ask(store, ["v:x"], {"k": keys, "event_timestamp": [1, 1]})
    assert table["x"].to_pylist() == [None if keys[0] is None else 1, None]


@pytest.mark.parametrize("kind", [pl.String, pl.Categorical, pl.Enum(["B6", "AA", "DL"])])
def test_text_that_repeats_joins_to_every_kind_of_text(project, kind):
    source = {"k": ["B6", "DL", "B6"], "ts": [0, 0, 2], "x": [1, 2, 3]}
    project.write("v.parquet", source, {"k": kind})
    store = project.store(project.view("v", kinds={"k": pl.String}))
    columns = {
        "k": ["AA", "B6", None] * 20,
        "event_timestamp": [1] * 30 + [3] * 30,
        "note": ["old", "new"] * 30,
    }
    table = project.ask(store, ["v:x"], columns)
    assert table["x"].to_pylist() == [None, 1, None] * 10 + [None, 3, None] * 10
    assert table["k"].to_pylist() == columns["k"]
    assert table["note"].to_pylist() == columns["note"]
    assert table.schema.field("k").type == table.schema.field("note").type == pa.string()


@pytest.mark.parametrize(
    ("kind", "label"),
    [
        *((kind, None) for kind in (pl.Null, pl.Int64, pl.String, pl.Categorical, pl.Date)),
        (pl.Null, "a"),
        (pl.Null, 1.5),
    ],
)
def test_keys_that_are_all_missing_join_to_nothing(project, kind, label):
    project.write("v.parquet", {"k": [None], "ts": [0], "x": [1]}, {"k": kind})
    store = project.store(project.view("v"))
    columns = {"k": [label], "event_timestamp": [1]}
    assert project.ask(store, ["v:x"], columns)["x"].to_pylist() == [None]


def test_a_view_without_join_keys_is_the_same_for_all_rows(project):
    project.write("v.parquet", {"ts": [0, 2], "x": [1, 2]})
    store = project.store(project.view("v", keys=()))
    columns = {"event_timestamp": [3, 1, -1]}
    assert project.ask(store, ["v:x"], columns)["x"].to_pylist() == [2, 1, None]


def test_mapped_columns_are_found(project):
    project.write("v.parquet", {"key": [1], "when": [datetime(2026, 1, 1)], "raw_x": [5]})
    mapping = {"key": "k", "raw_x": "x", "when": "ts"}
    store = project.store(project.view("v", field_mapping=mapping))
    table = project.ask(store, ["v:x"], {"k": [1], "event_timestamp": [1]})
    assert table["x"].to_pylist() == [5]


def test_one_view_can_be_joined_twice_under_names_and_keys_of_its_own(project):
    project.write("airport.parquet", {"k": [1, 2], "ts": [0, 0], "x": [10, 20]})
    airport = project.view("airport")
    service = FeatureService(
        name="both",
        features=[
            airport.with_name("origin").with_join_key_map({"k": "from"}),
            airport.with_name("dest").with_join_key_map({"k": "to"}),
        ],
    )
    store = project.store(airport, service)
    columns = {"from": [1, 2], "to": [2, 3], "event_timestamp": [1, 1]}
    table = project.ask(store, store.get_feature_service("both"), columns, full_feature_names=True)
    assert table.column_names == ["from", "to", "event_timestamp", "origin__x", "dest__x"]
    assert table["origin__x"].to_pylist() == [10, 20]
    assert table["dest__x"].to_pylist() == [20, None]


def test_features_come_in_the_order_in_which_they_were_asked_for(project):
    for name in "ab":
        project.write(f"{name}.parquet", {"k": [1], "ts": [0], f"{name}1": [1], f"{name}2_y": [2]})
    store = project.store(*(project.view(n, features=(f"{n}1", f"{n}2_y")) for n in "ab"))
    asked = ["b:b2_y", "a:a1", "b:b1", "a:a2_y"]
    table = project.ask(store, asked, {"k": [1], "event_timestamp": [1]})
    assert table.column_names == ["k", "event_timestamp", "b2_y", "a1", "b1", "a2_y"]
    assert [table[name][0].as_py() for name in table.column_names[2:]] == [2, 1, 1, 2]


@pytest.mark.parametrize(
    "times",
    [
        ["2026-01-01T02:00:00Z", "2026-01-01T00:59:59Z"],
        ["2026-01-01 02:00:00", "2026-01-01T01:59:59+01:00"],
        pd.to_datetime(["2026-01-01 02:00:00", "2026-01-01 00:59:59"]),
        pd.to_datetime(["2026-01-01 02:00:00", "2026-01-01 00:59:59"]).as_unit("ms"),
        pd.to_datetime(["2025-12-31 21:00:00", "2025-12-31 19:59:59"]).tz_localize("Etc/GMT+5"),
        [datetime(2026, 1, 1, 2, tzinfo=UTC), datetime(2026, 1, 1, 0, 59, tzinfo=UTC)],
        [date(2026, 1, 2), date(2026, 1, 1)],
    ],
    ids=["text", "zones in text", "naive ns", "ms", "zone", "objects", "dates"],
)
def test_times_of_labels_may_be_written_in_many_ways(simple, times):
    frame = pd.DataFrame({"k": [2, 2], "event_timestamp": times})
    table = simple.get_historical_features(frame, ["v:x"]).to_arrow()
    assert table.schema.field("event_timestamp").type == pa.timestamp("us", tz="UTC")
    is_date = isinstance(times[0], date) and not isinstance(times[0], datetime)
    assert table["x"].to_pylist() == ([None, None] if is_date else [20, None])


@pytest.mark.parametrize(
    "kind",
    [
        pl.Datetime("ns"),
        pl.Datetime("us"),
        pl.Datetime("ms", "UTC"),
        pl.Datetime("ns", "UTC"),
        pl.Datetime("us", "America/New_York"),
        pl.Date,
    ],
    ids=str,
)
def test_times_of_sources_may_have_any_unit_and_zone(project, at, kind):
    moment = pl.Series([at(0), at(24)])
    if getattr(kind, "time_zone", None):
        moment = moment.dt.convert_time_zone(kind.time_zone)
    else:
        moment = moment.dt.replace_time_zone(None)
    project.write("v.parquet", {"k": [1, 1], "ts": moment.cast(kind), "x": [1, 2]})
    store = project.store(project.view("v", ttl=24))
    columns = {"k": [1] * 4, "event_timestamp": [-0.001, 23.999, 24, 48.001]}
    assert project.ask(store, ["v:x"], columns)["x"].to_pylist() == [None, 1, 2, None]


def test_the_time_is_the_only_column_of_timestamps_when_none_has_its_name(project, simple, at):
    frame = pd.DataFrame({"k": [1], "when": [at(1)]})
    table = simple.get_historical_features(frame, ["v:x"]).to_arrow()
    assert table.column_names == ["k", "when", "x"]
    assert table["x"].to_pylist() == [10]


def test_no_rows_give_no_rows(simple):
    for times in (pd.to_datetime([]), []):
        frame = pd.DataFrame({"k": pd.Series([], dtype="int64"), "event_timestamp": times})
        table = simple.get_historical_features(frame, ["v:x"]).to_arrow()
        assert table.num_rows == 0
        assert table.column_names == ["k", "event_timestamp", "x"]


def test_the_callers_frame_is_left_alone_and_may_change_before_the_result_is_asked_for(simple, at):
    frame = pd.DataFrame({"k": [1], "event_timestamp": [at(1)]}, index=[7])
    before = frame.copy()
    job = simple.get_historical_features(frame, ["v:x"])
    pd.testing.assert_frame_equal(frame, before)
    frame["k"] = 2
    assert job.to_arrow()["k"].to_pylist() == [1]


def test_text_and_lists_come_in_arrows_usual_types(project):
    project.write("v.parquet", {"k": [1], "ts": [0], "x": ["a"], "y": [[1.5]]})
    view = project.view("v", features=("x", "y"), kinds={"x": pl.String, "y": pl.Float64})
    table = project.ask(project.store(view), ["v:x", "v:y"], {"k": [1], "event_timestamp": [1]})
    assert table.schema.field("x").type == pa.string()
    assert table.schema.field("y").type == pa.list_(pa.float64())


@pytest.mark.parametrize("max_rows", [1, 3, 7])
def test_reading_a_source_in_parts_changes_nothing(project, max_rows):
    rows = range(40)
    project.write(
        "v.parquet",
        {
            "a": [row % 5 for row in rows],
            "b": [["x", "y", None][row % 3] for row in rows],
            "ts": [row % 7 for row in rows],
            "x": list(rows),
        },
    )
    project.write("w.parquet", {"ts": [1, 3], "y": [1, 2]})
    views = (
        project.view("v", keys=("a", "b"), kinds={"b": pl.String}, ttl=3),
        project.view("w", keys=(), features=("y",)),
    )
    columns = {
        "a": [row % 6 for row in rows],
        "b": [["y", None, "x", "z"][row % 4] for row in rows],
        "event_timestamp": [row % 9 for row in rows],
    }
    whole = project.ask(project.store(*views), ["v:x", "w:y"], columns)
    parts = project.ask(project.store(*views, max_rows_per_pass=max_rows), ["v:x", "w:y"], columns)
    assert parts == whole
    assert parts["x"].null_count < len(parts)
