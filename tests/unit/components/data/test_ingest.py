"""Ingest as a whole: tables, and the record of where they came from."""

import hashlib
import json

import polars as pl
import pytest

from headrace.components.data.ingest import ingest
from headrace.components.shared.errors import DataError


@pytest.fixture
def files(tmp_path):
    (tmp_path / "1.csv").write_text("k,v\n1,x\n2,NA\n")
    (tmp_path / "2.csv").write_text("k,v\n3,z\n")
    return tmp_path


def run(files, out="out", **clean):
    return ingest.run(
        sources={"rows": {"path": str(files / "*.csv"), "clean": clean}},
        data_version="v1",
        tables=files / out / "tables",
        provenance=files / out / "provenance.json",
    )


def test_each_source_becomes_one_parquet_table(files):
    run(files, types={"k": "int"}, required=["k"])
    found = pl.read_parquet(files / "out/tables/rows.parquet")
    assert found.to_dict(as_series=False) == {"k": [1, 2, 3], "v": ["x", None, "z"]}


def test_the_record_holds_hashes_sizes_rows_and_types(files):
    record = run(files, where="k < 3")
    assert json.loads((files / "out/provenance.json").read_text()) == record
    assert record["data_version"] == "v1"
    entry = record["sources"]["rows"]
    assert (entry["rows_read"], entry["rows"]) == (3, 2)
    assert entry["columns"] == {"k": "Int64", "v": "String"}
    first = (files / "1.csv").read_bytes()
    assert entry["origins"][0] == {
        "path": str(files / "1.csv"),
        "bytes": len(first),
        "sha256": hashlib.sha256(first).hexdigest(),
    }
    table = (files / "out/tables/rows.parquet").read_bytes()
    assert entry["table_sha256"] == hashlib.sha256(table).hexdigest()


def test_the_same_files_give_the_same_table_hash_and_others_another(files):
    before = run(files, out="a")["sources"]["rows"]["table_sha256"]
    assert run(files, out="b")["sources"]["rows"]["table_sha256"] == before
    (files / "2.csv").write_text("k,v\n3,changed\n")
    assert run(files, out="c")["sources"]["rows"]["table_sha256"] != before


def test_the_summary_shows_every_source(files):
    text = ingest.summary(run(files))
    assert "| rows | 3 | 3 | 2 |" in text
    assert "Data version: `v1`" in text


def test_a_broken_rule_leaves_no_record(files):
    with pytest.raises(DataError):
        run(files, required=["v"])
    assert not (files / "out/provenance.json").exists()


def test_the_record_of_a_query_does_not_hold_the_url(files):
    record = ingest.run(
        sources={"rows": {"format": "sql", "url": "sqlite://", "query": "select 1 as a"}},
        data_version="v1",
        tables=files / "tables",
        provenance=files / "p.json",
    )
    assert record["sources"]["rows"]["origins"] == [{"path": "sql query", "query": "select 1 as a"}]
