"""What cannot be joined, and what the errors say about it."""

from types import SimpleNamespace

import pandas as pd
import pytest
from feast import RepoConfig

from headrace.components.shared.errors import ConfigError, DataError
from headrace.feature_store.offline import refuse_lossy


@pytest.fixture
def simple(project):
    project.write("v.parquet", {"k": [1], "ts": [0], "x": [1]})
    return project.store(project.view("v"))


def refused(project, store, columns, references=("v:x",)):
    with pytest.raises(DataError) as caught:
        project.ask(store, list(references), columns)
    return caught.value


def test_a_join_key_that_the_entity_frame_lacks(project, simple):
    error = refused(project, simple, {"key": [1], "event_timestamp": [1]})
    assert "Feature view 'v' is joined by 'k'" in error.message
    assert "no such column; it has 'key'" in error.message
    assert "with_join_key_map" in error.fix


@pytest.mark.parametrize("rows", [1, 50], ids=["few", "repeated"])
def test_join_keys_that_can_never_be_equal(project, simple, rows):
    error = refused(project, simple, {"k": ["1"] * rows, "event_timestamp": [1] * rows})
    assert "which is String in the entity frame and Int64 in column 'k' of" in error.message
    assert f"{project.folder / 'v.parquet'}" in error.message
    assert error.fix == "Convert the entity frame's column to the source's type."


@pytest.mark.parametrize(
    ("columns", "role", "missing"),
    [
        ({"k": [1], "ts": [0]}, "feature", "x"),
        ({"x": [1], "ts": [0]}, "join key", "k"),
        ({"k": [1], "x": [0]}, "timestamp_field", "ts"),
    ],
)
def test_a_column_that_the_source_lacks(project, simple, columns, role, missing):
    path = project.write("v.parquet", columns)
    error = refused(project, simple, {"k": [1], "event_timestamp": [1]})
    assert f"Feature view 'v' expects the {role} column {missing!r} in {path}" in error.message
    assert "its columns are '" in error.message
    assert "field_mapping" in error.fix


def test_a_timestamp_that_is_none(project, simple):
    project.write("v.parquet", {"k": [1], "ts": ["yesterday"], "x": [1]})
    error = refused(project, simple, {"k": [1], "event_timestamp": [1]})
    assert "expects timestamps in the timestamp_field column 'ts'" in error.message
    assert "its type is String" in error.message


@pytest.mark.parametrize(
    ("times", "message"),
    [
        ([None, "2026-01-01"], "lacks the time in 1 of 2 rows"),
        (["soon", "later"], "must hold timestamps or ISO 8601 text"),
        ([1, 2], "it holds int64"),
    ],
)
def test_labels_without_a_time(simple, times, message):
    frame = pd.DataFrame({"k": [1, 1], "event_timestamp": times})
    with pytest.raises(DataError, match=message):
        simple.get_historical_features(frame, ["v:x"])


def test_an_entity_frame_without_a_column_of_times(simple):
    with pytest.raises(DataError, match=r"needs a column 'event_timestamp'.* of which 0 hold"):
        simple.get_historical_features(pd.DataFrame({"k": [1]}), ["v:x"])


def test_a_query_in_place_of_an_entity_frame(simple):
    with pytest.raises(DataError, match="must be a pandas DataFrame; it is str"):
        simple.get_historical_features("select 1", ["v:x"])


@pytest.mark.parametrize("times", [1, 50], ids=["few", "repeated"])
def test_a_column_of_mixed_types(project, simple, times):
    columns = {"k": [1, "a"] * times, "event_timestamp": [1, 1] * times}
    error = refused(project, simple, columns)
    assert "values of several types" in error.message
    assert "column k" in error.message


def test_a_column_that_is_there_twice(simple, at):
    frame = pd.DataFrame([[1, 2, at(0)]], columns=["k", "k", "event_timestamp"])
    with pytest.raises(DataError, match="has column 'k' twice"):
        simple.get_historical_features(frame, ["v:x"])


def test_a_feature_with_the_name_of_an_entity_column(project, simple):
    columns = {"k": [1], "x": [5], "event_timestamp": [1]}
    error = refused(project, simple, columns)
    assert "two columns 'x'" in error.message
    assert "full_feature_names=True" in error.fix
    table = project.ask(simple, ["v:x"], columns, full_feature_names=True)
    assert table.to_pylist()[0].keys() == {"k", "x", "event_timestamp", "v__x"}


@pytest.mark.parametrize("kind", ["file", "dask"])
def test_the_store_that_loses_rows_is_refused(tmp_path, kind):
    config = RepoConfig(
        project="p",
        provider="local",
        registry=str(tmp_path / "r.db"),
        offline_store={"type": kind},
        entity_key_serialization_version=3,
    )
    with pytest.raises(ConfigError) as caught:
        refuse_lossy(config)
    assert f"The offline store of Feast project 'p' is '{kind}'" in caught.value.message
    assert "silently drops label rows that share join keys and timestamp" in caught.value.message
    assert "6787" in caught.value.message
    assert "headrace.feature_store.offline.store.AsofOfflineStore" in caught.value.fix


def test_the_store_that_loses_rows_is_refused_inside_a_hybrid_store():
    members = [SimpleNamespace(type="duckdb"), SimpleNamespace(type="file")]
    hybrid = SimpleNamespace(type="hybrid", offline_stores=members)
    with pytest.raises(ConfigError, match="is 'file'"):
        refuse_lossy(SimpleNamespace(project="p", offline_store=hybrid))


def test_other_stores_are_not_refused(simple):
    refuse_lossy(simple.config)
    refuse_lossy(SimpleNamespace(project="p", offline_store=SimpleNamespace(type="spark")))
