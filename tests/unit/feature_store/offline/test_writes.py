"""Pushes, saved datasets and logs: what is written is whole, and read again."""

from concurrent.futures import ThreadPoolExecutor

import deltalake
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from feast import FeatureService, FeatureStore, PushSource
from feast.data_format import DeltaFormat
from feast.data_source import PushMode
from feast.errors import SavedDatasetLocationAlreadyExists
from feast.feature_logging import LoggingConfig
from feast.infra.offline_stores.file_source import (
    FileLoggingDestination,
    FileSource,
    SavedDatasetFileStorage,
)

from headrace.components.shared.errors import ConfigError, DataError, StorageError
from headrace.feature_store.offline.sources import locate
from headrace.feature_store.offline.store import AsofOfflineStore
from headrace.feature_store.offline.writes import add_rows, append

COLUMNS = {"k": [1], "ts": [0], "x": [1]}


def files(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def rows(at):
    return pd.DataFrame({"k": [1, 2], "ts": [at(0), at(1)], "x": [7, 8]})


def asked(project, store):
    return project.ask(store, ["v:x"], {"k": [1, 2], "event_timestamp": [2, 2]})["x"].to_pylist()


@pytest.mark.parametrize("path", ["v", "v/*.parquet"])
def test_a_push_adds_one_file_to_a_folder_and_wins_the_tie(project, rows, path):
    first = project.write("v/part-0.parquet", COLUMNS)
    before = first.stat().st_mtime_ns
    store = project.store(project.view("v", path=path))
    store.write_to_offline_store("v", rows[["x", "ts", "k"]])
    assert asked(project, store) == [7, 8]
    store.write_to_offline_store("v", rows.assign(x=[70, 80]))
    assert asked(project, store) == [70, 80]
    names = files(project.folder / "v")
    assert len(names) == 3
    assert names[0] == "part-0.parquet"
    assert first.stat().st_mtime_ns == before


@pytest.mark.parametrize(("path", "times"), [("v", 100), ("v/part-0.parquet", 20)])
def test_many_may_push_at_once_and_read_meanwhile(project, path, times):
    project.write("v/part-0.parquet", COLUMNS)
    place = locate(FileSource(path=path, timestamp_field="ts"), project.folder, "View")
    table = place.scan().collect().to_arrow()

    def push(_):
        append(place, table, {})
        return place.scan().collect().height

    with ThreadPoolExecutor(4) as pool:
        seen = list(pool.map(push, range(times)))
    assert place.scan().collect().height == times + 1
    assert min(seen) > 1


def test_a_push_to_a_push_source_arrives(project, rows):
    project.write("v/part-0.parquet", COLUMNS)
    source = PushSource(name="p", batch_source=FileSource(path="v", timestamp_field="ts"))
    store = project.store(project.view("v", source=source))
    store.push("p", rows, to=PushMode.OFFLINE)
    assert asked(project, store) == [7, 8]


def test_a_push_to_a_file_puts_rows_at_its_end_and_keeps_its_types(project, rows):
    path = project.write("v.parquet", COLUMNS, {"k": pl.Int32})
    schema = pq.read_schema(path)
    store = project.store(project.view("v"))
    store.write_to_offline_store("v", rows.iloc[[1, 0]])
    assert asked(project, store) == [7, 8]
    assert pl.read_parquet(path)["x"].to_list() == [1, 8, 7]
    assert pq.read_schema(path).equals(schema)
    assert [name for name in files(project.folder) if name.endswith((".tmp", ".parquet"))] == [
        "v.parquet"
    ]


def test_a_push_goes_to_the_folder_that_its_values_name(project, at):
    project.write("v/k=1/a.parquet", {"ts": [0], "x": [1]})
    store = project.store(project.view("v", path="v"))
    frame = pd.DataFrame({"ts": [at(1)], "x": [5], "k": [2]})
    store.write_to_offline_store("v", frame)
    assert asked(project, store) == [1, 5]
    assert len(files(project.folder / "v" / "k=2")) == 1


def test_a_push_to_a_delta_table_is_a_new_version(project, at, rows):
    pl.DataFrame({**COLUMNS, "ts": [at(0)]}).write_delta(project.folder / "v")
    store = project.store(project.view("v", path="v", file_format=DeltaFormat()))
    store.write_to_offline_store("v", rows.assign(ts=[at(1), at(1)]))
    assert asked(project, store) == [7, 8]
    assert deltalake.DeltaTable(project.folder / "v").version() == 1


def test_a_push_may_use_the_names_that_a_mapping_gives(project, at):
    project.write("v/a.parquet", {"k": [1], "ts": [0], "raw": [1]})
    store = project.store(project.view("v", path="v", field_mapping={"raw": "x"}))
    store.write_to_offline_store("v", pd.DataFrame({"k": [2], "ts": [at(1)], "raw": [5]}))
    assert asked(project, store) == [1, 5]


def test_columns_in_another_order_are_refused(project, rows):
    path = project.write("v.parquet", COLUMNS)
    view = project.view("v")
    table = pa.Table.from_pandas(rows[["x", "k", "ts"]], preserve_index=False)
    config = project.store(view).config
    with pytest.raises(DataError) as caught:
        AsofOfflineStore.offline_write_batch(config, view, table, None)
    assert f"rows for {path} must have the columns ['k', 'ts', 'x'], in this order" in str(
        caught.value
    )
    assert "they have ['x', 'k', 'ts']" in str(caught.value)


def test_values_that_do_not_fit_are_refused_and_the_file_stays(project, rows):
    path = project.write("v.parquet", COLUMNS)
    before = path.read_bytes()
    store = project.store(project.view("v"))
    with pytest.raises(DataError, match=r"the rows do not fit the types of .*v.parquet"):
        store.write_to_offline_store("v", rows.assign(x=["a", "b"]))
    assert path.read_bytes() == before


def test_a_glob_that_a_new_file_may_not_match_is_refused(project, rows):
    project.write("v/a1.parquet", COLUMNS)
    store = project.store(project.view("v", path="v/a*.parquet"))
    with pytest.raises(ConfigError, match="to which no file can be added"):
        store.write_to_offline_store("v", rows)


@pytest.mark.parametrize(("path", "partitions"), [("s3://b/v.parquet", ()), ("s3://b/v", ("k",))])
def test_an_object_store_takes_whole_new_objects_only(project, rows, path, partitions):
    place = locate(FileSource(path=path), project.folder, "The log")
    with pytest.raises(ConfigError, match=f"The log: no rows can be added to {path}"):
        add_rows(place, pa.Table.from_pandas(rows), partitions)


def test_an_object_store_gets_one_more_object(project, rows, monkeypatch):
    written = {}
    monkeypatch.setattr(
        pl.DataFrame, "write_parquet", lambda _, path, **kw: written.update({path: kw})
    )
    source = FileSource(path="s3://b/v", s3_endpoint_override="http://minio")
    add_rows(locate(source, project.folder, "The log"), pa.Table.from_pandas(rows))
    ((path, options),) = written.items()
    assert path.startswith("s3://b/v/pushed-")
    assert options == {"storage_options": {"AWS_ENDPOINT_URL": "http://minio"}}


def test_a_place_that_cannot_be_written_is_told(project, rows, monkeypatch):
    project.write("v/a.parquet", COLUMNS)
    place = locate(FileSource(path="v", timestamp_field="ts"), project.folder, "View")

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pyarrow.dataset.write_dataset", full)
    with pytest.raises(StorageError, match="the disk is full"):
        append(place, pa.Table.from_pandas(rows, preserve_index=False), {})
    assert files(project.folder / "v") == ["a.parquet"]


@pytest.mark.parametrize("path", ["saved.parquet", "saved", "delta"])
def test_a_result_is_saved_and_retrieved(project, at, path):
    project.write("v.parquet", COLUMNS)
    store = project.store(project.view("v"))
    frame = pd.DataFrame({"k": [1, 2, 1], "event_timestamp": [at(1), at(2), at(3)]})
    job = store.get_historical_features(frame, ["v:x"])
    options = {"file_format": DeltaFormat()} if path == "delta" else {}
    storage = SavedDatasetFileStorage(path, **options)
    for _ in range(2):
        store.create_saved_dataset(job, "d", storage, allow_overwrite=True)
    again = store.get_saved_dataset("d").to_df()
    expected = job.to_df()[list(again.columns)]
    pd.testing.assert_frame_equal(again.sort_values("event_timestamp"), expected, check_like=True)
    with pytest.raises(SavedDatasetLocationAlreadyExists):
        job.persist(storage)
    assert not [name for name in files(project.folder) if name.endswith(".tmp")]


def test_logs_of_served_features_are_added_and_read(project, at):
    project.write("v.parquet", COLUMNS)
    view = project.view("v")
    destination = FileLoggingDestination(path="logs", partition_by=["__log_date"])
    service = FeatureService(
        name="s", features=[view], logging_config=LoggingConfig(destination=destination)
    )
    store: FeatureStore = project.store(view, service)
    service = store.get_feature_service("s")
    row = {
        "k": [1],
        "v__x": [5],
        "v__x__timestamp": [at(0)],
        "v__x__status": [1],
        "__log_timestamp": [at(1)],
        "__log_date": [at(1).date()],
        "__request_id": ["r"],
    }
    for logs in (pa.table(row), pa.table(row)):
        store.write_logged_features(logs, service)
    provider = store._get_provider()
    found = provider.retrieve_feature_service_logs(
        service, at(0), at(2), store.config, store.registry
    ).to_arrow()
    assert found["v__x"].to_pylist() == [5, 5]
    assert set(found.column_names) == set(row)
