"""Pulling rows for materialization, and what monitoring reads."""

from datetime import datetime, timedelta

import polars as pl
import pyarrow as pa
import pytest
from feast import FileSource

from headrace.components.shared.errors import DataError
from headrace.feature_store.offline.store import AsofOfflineStore, AsofOfflineStoreConfig


@pytest.fixture
def pull(project, at):
    """Pulls from `v.parquet`, or from what `path` says."""

    def run(
        kind,
        keys=("k",),
        features=("x",),
        created=None,
        hours=(0, 9),
        path="v.parquet",
        **options,
    ):
        config = project.store(**options).config
        start, end = (None if hour is None else at(hour) for hour in hours)
        function = getattr(AsofOfflineStore, f"pull_{kind}_from_table_or_query")
        source = FileSource(path=path, timestamp_field="ts")
        return function(
            config, source, list(keys), list(features), "ts", created, start, end
        ).to_arrow()

    return run


def values(table, *names):
    return sorted(zip(*(table[name].to_pylist() for name in names), strict=True), key=str)


def test_the_latest_row_of_each_key_by_time_creation_and_place(project, pull):
    project.write(
        "v.parquet",
        {
            "k": [1, 1, 1, 2, 2, None],
            "ts": [2, 2, 1, 3, 3, 0],
            "made": [5, 4, 9, None, None, 0],
            "x": [10, 11, 12, 20, 21, 30],
        },
    )
    table = pull("latest", created="made")
    assert table.column_names == ["k", "x", "ts", "made"]
    assert values(table, "k", "x") == [(1, 10), (2, 21), (None, 30)]
    assert table.schema.field("made").type == pa.timestamp("us", tz="UTC")


@pytest.mark.parametrize("max_rows", [1, 5])
def test_reading_in_parts_changes_nothing(project, pull, max_rows):
    rows = range(40)
    columns = {"k": [n % 7 for n in rows], "ts": [n * 5 % 9 for n in rows], "x": list(rows)}
    project.write("v.parquet", columns)
    whole = values(pull("latest"), "k", "x", "ts")
    assert values(pull("latest", max_rows_per_pass=max_rows), "k", "x", "ts") == whole
    assert len(whole) == 7


def test_start_and_end_are_both_included(project, pull):
    project.write("v.parquet", {"k": [1, 1, 2, 3], "ts": [1, 3, 2, 4], "x": [1, 2, 3, 4]})
    assert values(pull("latest", hours=(2, 3)), "k", "x") == [(1, 2), (2, 3)]
    assert values(pull("all", hours=(1, 2)), "k", "x") == [(1, 1), (2, 3)]
    assert len(pull("all", hours=(None, None))) == 4


def test_two_keys_are_two_keys(project, pull):
    columns = {"k": [1, 1, 1], "j": ["a", "b", "a"], "ts": [0, 1, 2], "x": [1, 2, 3]}
    project.write("v.parquet", columns)
    assert values(pull("latest", keys=("k", "j")), "j", "x") == [("a", 3), ("b", 2)]


@pytest.mark.parametrize("kind", ["latest", "all"])
def test_times_are_microseconds_utc(project, pull, kind):
    moments = pl.Series([datetime(2026, 1, 1, 1)]).cast(pl.Datetime("ns"))
    project.write("v.parquet", {"k": [1], "ts": moments, "x": moments})
    table = pull(kind)
    assert table.schema.field("ts").type == pa.timestamp("us", tz="UTC")
    assert table.schema.field("x").type == pa.timestamp("us")


def test_no_features_mean_all_columns(project, pull):
    project.write("v.parquet", {"k": [1], "ts": [0], "x": [1], "y": [2]})
    assert pull("all", features=()).column_names == ["k", "ts", "x", "y"]


def test_without_join_keys_there_is_one_latest_row_under_feasts_dummy_key(project, pull):
    project.write("v.parquet", {"ts": [0, 2, 1], "x": [1, 2, 3]})
    table = pull("latest", keys=())
    assert table.to_pylist()[0]["x"] == 2
    assert table["__dummy_id"].to_pylist() == [""]


def test_a_view_without_join_keys_is_materialized(project, at):
    project.write("v.parquet", {"ts": [0, 2], "x": [1, 2]})
    store = project.store(project.view("v", keys=()))
    store.materialize(at(-1), at(9))
    assert store.get_online_features(["v:x"], [{"any": 1}]).to_dict()["x"] == [2]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"keys": ("no",)}, "the join key column 'no'"),
        ({"features": ("no",)}, "the feature column 'no'"),
        ({"created": "no"}, "the timestamp column 'no'"),
        ({"created": "x"}, "expects timestamps in the timestamp column 'x'"),
    ],
)
def test_a_missing_column_is_named(project, pull, arguments, words):
    project.write("v.parquet", {"k": [1], "ts": [0], "x": [1]})
    with pytest.raises(DataError, match=f"Data source 'v.parquet' expects.*{words[-14:]}"):
        pull("latest", **arguments)


@pytest.mark.parametrize("path", ["v", "v/*.parquet"])
def test_columns_and_types_are_known_of_folders_and_globs(project, path):
    project.write("v/a.parquet", {"k": [1], "ts": [0], "x": ["a"]})
    store = project.store(project.view("v", path=path, kinds={"x": pl.String}))
    provider = store._get_provider()
    source = FileSource(path=path, timestamp_field="ts")
    found = provider.get_table_column_names_and_types_from_data_source(store.config, source)
    assert list(found) == [("k", "int64"), ("ts", "timestamp[us, tz=UTC]"), ("x", "string")]


def test_a_schema_is_inferred_from_a_folder(project, at):
    from feast import Entity, FeatureView, ValueType

    project.write("v/a.parquet", {"k": [1], "ts": [0], "x": [1.5]})
    key = Entity(name="k_entity", join_keys=["k"], value_type=ValueType.INT64)
    source = FileSource(path="v", timestamp_field="ts")
    store = project.store()
    store.apply([key, FeatureView(name="v", entities=[key], source=source, ttl=timedelta(0))])
    assert [field.name for field in store.get_feature_view("v").features] == ["x"]


@pytest.mark.parametrize("path", ["v", "v/*.parquet", "v/a.parquet"])
def test_monitoring_measures_relative_paths_and_folders(project, at, path):
    project.write("v/a.parquet", {"k": [1, 2], "ts": [0, 5], "x": [1, 3]})
    config = project.store().config
    source = FileSource(path=path, timestamp_field="ts")
    assert AsofOfflineStore.get_monitoring_max_timestamp(config, source, "ts") == at(5)
    (found,) = AsofOfflineStore.compute_monitoring_metrics(config, source, [("x", "numeric")], "ts")
    assert (found["row_count"], found["mean"]) == (2, 2.0)


def test_monitoring_keeps_its_results(project):
    config = project.store().config
    AsofOfflineStore.ensure_monitoring_tables(config)
    assert AsofOfflineStore.query_monitoring_metrics(config, "small", "feature") == []


def test_the_configuration_refuses_a_pass_of_no_rows():
    assert AsofOfflineStoreConfig().max_rows_per_pass == 2_000_000
    with pytest.raises(ValueError, match="max_rows_per_pass"):
        AsofOfflineStoreConfig(max_rows_per_pass=0)
