"""Sources: files, folders, globs, Delta tables, and clear words about anything else."""

import deltalake
import polars as pl
import pytest
from feast import BigQuerySource, FileSource
from feast.data_format import DeltaFormat

from headrace.components.shared.errors import ConfigError, SourceError
from headrace.feature_store.offline.sources import locate
from headrace.feature_store.offline.views import schema_of


def ask(project, **source):
    store = project.store(project.view("v", **source))
    return project.ask(store, ["v:x"], {"k": [1, 2], "event_timestamp": [1, 1]})["x"].to_pylist()


@pytest.fixture
def parts(project):
    project.write("v/a.parquet", {"k": [1], "ts": [0], "x": [1]})
    project.write("v/deep/b.parquet", {"k": [2], "ts": [0], "x": [2]})


@pytest.mark.parametrize("path", ["v", "v/**/*.parquet", "v/*.parquet", "{folder}/v"])
def test_folders_and_globs_are_read_file_by_file(project, parts, path):
    found = ask(project, path=path.format(folder=project.folder))
    assert found == ([1, None] if path == "v/*.parquet" else [1, 2])


def test_a_file_may_be_given_as_uri(project, parts):
    assert ask(project, path=f"file://{project.folder}/v/a.parquet") == [1, None]


def test_hidden_files_are_somebody_elses(project, parts):
    project.write("v/.c.parquet", {"k": [1], "ts": [1], "x": [9]})
    project.write("v/_c/d.parquet", {"k": [1], "ts": [1], "x": [9]})
    assert ask(project, path="v") == [1, 2]


def test_columns_may_be_in_the_names_of_folders(project):
    project.write("v/k=1/a.parquet", {"ts": [0], "x": [1]})
    project.write("v/k=2/a.parquet", {"ts": [0], "x": [2]})
    assert ask(project, path="v") == [1, 2]


@pytest.mark.parametrize("named", [True, False])
def test_a_delta_table_is_read_at_its_last_version(project, at, named):
    frame = pl.DataFrame({"k": [1], "ts": [at(0)], "x": [1]})
    path = project.folder / "table"
    frame.write_delta(path)
    frame.with_columns(k=pl.lit(2, pl.Int64), x=pl.lit(2, pl.Int64)).write_delta(
        path, mode="append"
    )
    deltalake.DeltaTable(path).delete("x = 1")
    assert ask(project, path="table", file_format=DeltaFormat() if named else None) == [None, 2]


def test_a_source_that_is_not_of_files_is_refused_with_the_store_to_use(project):
    source = BigQuerySource(name="sales", table="a.b.c", timestamp_field="ts")
    with pytest.raises(ConfigError) as caught:
        locate(source, project.folder, "Feature view 'v'")
    assert str(caught.value) == (
        "Feature view 'v' reads the BigQuerySource 'sales'; this offline store reads files only "
        "(FileSource with Parquet or Delta).\n"
        "Set `offline_store: {type: bigquery}` in feature_store.yaml, or export the table to "
        "Parquet and use a FileSource."
    )


def test_a_view_without_batch_source_is_refused(project):
    with pytest.raises(ConfigError, match="no batch source"):
        locate(None, project.folder, "Feature view 'v'")


@pytest.mark.parametrize("path", ["none.parquet", "none", "none/*.parquet"])
def test_a_missing_file_is_named_with_its_view(project, path):
    with pytest.raises(SourceError) as caught:
        locate(FileSource(path=path), project.folder, "Feature view 'v'").scan()
    assert f"Feature view 'v' reads {project.folder / path}, where there is no Parquet" in str(
        caught.value
    )
    assert "relative to the folder of feature_store.yaml" in caught.value.fix


def test_a_file_that_is_not_parquet_is_named_with_its_view(project, at):
    path = project.write("v.parquet", {"k": [1], "ts": [0], "x": [1]})
    store = project.store(project.view("v"))
    path.write_text("not Parquet")
    with pytest.raises(SourceError, match=r"Feature view 'v' reads .*v.parquet, which cannot be"):
        project.ask(store, ["v:x"], {"k": [1], "event_timestamp": [1]})


def test_a_missing_delta_table_is_named_with_its_view(project):
    source = FileSource(path="nothing", file_format=DeltaFormat())
    place = locate(source, project.folder, "Feature view 'v'")
    with pytest.raises(SourceError, match=r"Feature view 'v' reads .*nothing.*as a Delta table"):
        schema_of(place.scan(), place)


def test_files_with_other_columns_are_told_about(project, parts):
    project.write("v/c.parquet", {"k": ["1"], "ts": [0], "x": [1]})
    store = project.store(project.view("v", path="v"))
    with pytest.raises(SourceError, match="all files of a folder need the same columns"):
        project.ask(store, ["v:x"], {"k": [1], "event_timestamp": [1]})
