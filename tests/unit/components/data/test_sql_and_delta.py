"""Databases and table stores, without ever showing a password."""

import sqlite3

import deltalake
import polars as pl
import pytest

from headrace.components.data.ingest import readers
from headrace.components.shared.config.data import Source
from headrace.components.shared.errors import SourceError


@pytest.fixture
def database(tmp_path):
    path = tmp_path / "rows.db"
    with sqlite3.connect(path) as connection:
        connection.execute("create table rows (a integer, b text)")
        connection.executemany("insert into rows values (?, ?)", [(1, "x"), (2, None)])
    connection.close()
    return path


def read(**keys):
    source = Source.parse({"format": "sql", **keys}, where="test")
    return readers.read("rows", source)[0]


def refused(**keys):
    with pytest.raises(SourceError) as caught:
        read(**keys)
    return caught.value


def test_a_query_becomes_a_table_and_nulls_stay(database):
    found = read(url=f"sqlite:///{database}", query="select * from rows order by a")
    assert found.to_dict(as_series=False) == {"a": [1, 2], "b": ["x", None]}


def test_an_environment_variable_in_the_url_is_expanded(database, monkeypatch):
    monkeypatch.setenv("ROWS_DB", str(database))
    assert read(url="sqlite:///${ROWS_DB}", query="select a from rows").height == 2


def test_a_variable_that_is_not_set_is_named(monkeypatch):
    monkeypatch.delenv("NO_SUCH_VARIABLE", raising=False)
    error = refused(url="postgresql://u:${NO_SUCH_VARIABLE}@h/d", query="select 1")
    assert "NO_SUCH_VARIABLE" in error.message
    assert "set" in error.fix.lower()


def test_a_wrong_query_says_what_the_database_says(database):
    error = refused(url=f"sqlite:///{database}", query="select a from nowhere")
    assert "source 'rows' failed" in error.message
    assert "no such table: nowhere" in error.message


@pytest.mark.parametrize(
    "url",
    [
        "sqlite+nodriver://user:s3cret@host/db",
        "nosuchdialect://user:s3cret@host/db",
        "not a url s3cret",
        "sqlite:////no/such/folder/s3cret/x.db?password=s3cret",
    ],
)
def test_a_password_is_never_shown(url):
    error = refused(url=url, query="select 1")
    shown = str(error).replace("/no/such/folder/s3cret/", "")
    assert "s3cret" not in shown
    assert error.__cause__ is None and error.__suppress_context__


def test_a_password_from_the_environment_is_never_shown(monkeypatch):
    monkeypatch.setenv("DB_PASSWORD", "hunter2")
    error = refused(url="sqlite+nodriver://user:${DB_PASSWORD}@host/db", query="select 1")
    assert "hunter2" not in str(error)


def test_a_query_without_rows_gives_its_columns(database):
    found = read(url=f"sqlite:///{database}", query="select a from rows where a > 9")
    assert (found.columns, found.height) == (["a"], 0)


def test_delta_reads_the_newest_version_of_the_table(tmp_path):
    place = str(tmp_path / "table")
    deltalake.write_deltalake(place, pl.DataFrame({"a": [1]}).to_arrow())
    deltalake.write_deltalake(place, pl.DataFrame({"a": [2, 3]}).to_arrow(), mode="overwrite")
    source = Source.parse({"format": "delta", "path": place}, where="test")
    assert sorted(readers.read("rows", source)[0]["a"]) == [2, 3]


def test_a_folder_that_is_no_delta_table_says_so(tmp_path):
    source = Source.parse({"format": "delta", "path": str(tmp_path)}, where="test")
    with pytest.raises(SourceError) as caught:
        readers.read("rows", source)
    assert "is not a Delta Lake table" in caught.value.message
    assert "_delta_log" in caught.value.fix
