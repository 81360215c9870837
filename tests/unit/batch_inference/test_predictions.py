"""What comes out for which rows."""

import datetime as dt

import numpy as np
import polars as pl
import pytest

from headrace.components.deployment.batch_inference import batch_inference
from headrace.components.shared.errors import ConfigError, DataError, SourceError, StorageError

COLUMNS = {
    "id": list(range(10)),
    "number": [0.5, None, float("nan"), *range(7)],
    "whole": [1, 2, 3, None, 5, 6, 7, 8, 9, 10],
    "text": ["ab", "", None, "x", *["y"] * 6],
}


def expected(row):
    if row["whole"] is None:
        return None
    number, text = row["number"], row["text"]
    gone = number is None or np.isnan(number)
    return (100 if gone else number) + row["whole"] + (len(text) if text else 100)


@pytest.fixture
def table(tmp_path):
    pl.DataFrame(COLUMNS, strict=False).write_parquet(tmp_path / "rows.parquet", row_group_size=3)
    return tmp_path / "rows.parquet"


def predictions(result):
    return pl.read_parquet(result.folder)


def test_each_row_gets_what_the_model_answers(push, predict, table):
    push()
    before = dt.datetime.now(dt.UTC)
    result = predict(table)
    found = predictions(result)
    assert found.columns == ["id", "score", "rejected", "model_version", "predicted_at"]
    rows = pl.read_parquet(table).to_dicts()
    assert found["id"].to_list() == [row["id"] for row in rows]
    assert found["score"].to_list() == [expected(row) for row in rows]
    assert found["model_version"].unique().to_list() == [1]
    assert before <= found["predicted_at"].min() <= dt.datetime.now(dt.UTC)
    assert (result.rows, result.rejected, result.shards) == (10, 1, 3)


def test_a_row_that_cannot_be_predicted_says_why(push, predict, table):
    push()
    found = predictions(predict(table)).filter(pl.col("score").is_null())
    assert found.select("id", "rejected").rows() == [(3, "feature 'whole' is missing")]


@pytest.mark.parametrize("rows", [1, 3, 4, 7, 100])
def test_the_size_of_shards_does_not_matter(push, predict, table, rows):
    push()
    result = predict(table, shard_rows=rows)
    assert result.shards == -(-10 // rows)
    found = predictions(result)["score"].to_list()
    assert found == [expected(row) for row in pl.read_parquet(table).to_dicts()]


def test_a_table_may_be_several_files(push, predict, table, tmp_path):
    push()
    folder = tmp_path / "rows"
    (folder / "day=1").mkdir(parents=True)
    rows = pl.read_parquet(table)
    rows.head(3).write_parquet(folder / "a.parquet")
    rows.slice(3, 3).write_parquet(folder / "day=1" / "b.parquet")
    rows.head(0).write_parquet(folder / "empty.parquet")
    (folder / "_SUCCESS").write_text("")
    (folder / "_unfinished.parquet").write_text("half a file")
    assert predictions(predict(folder))["id"].to_list() == [0, 1, 2, 3, 4, 5]
    assert predictions(predict(folder / "*.parquet"))["id"].to_list() == [0, 1, 2]


def test_whole_numbers_may_come_as_floats_as_pandas_writes_them(push, predict, table, tmp_path):
    push()
    floats = pl.read_parquet(table).with_columns(pl.col("whole").cast(pl.Float64))
    floats.write_parquet(tmp_path / "floats.parquet")
    found = predictions(predict(tmp_path / "floats.parquet"))
    assert found["score"].equals(predictions(predict(table))["score"])


def test_keys_say_what_is_copied(push, predict, table):
    push()
    found = predictions(predict(table, keys=["text", "id"]))
    assert found.columns[:2] == ["text", "id"]


def test_a_named_version_is_asked(push, predict, table):
    push()
    push("double")
    newest = predictions(predict(table))
    first = predictions(predict(table, version=1))
    assert newest["model_version"].unique().to_list() == [2]
    assert newest["score"].equals(first["score"] * 2)


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        (lambda t: t.drop("number", "text"), DataError, "lacks 'number', 'text', which the model"),
        (lambda t: t.with_columns(number=pl.lit("many")), DataError, "'number' is String, and"),
        (lambda t: t.with_columns(whole=pl.lit(1.5)), DataError, "'whole' is Float64, and the"),
        (lambda t: t.drop("id"), DataError, "Every column of the table is a feature"),
        (lambda t: t.rename({"id": "score"}), DataError, "'score' has the name of a column of the"),
    ],
)
def test_a_table_that_does_not_fit_is_refused(
    push, predict, table, tmp_path, change, kind, message
):
    push()
    change(pl.read_parquet(table)).write_parquet(tmp_path / "wrong.parquet")
    with pytest.raises(kind, match=message) as caught:
        predict(tmp_path / "wrong.parquet")
    assert caught.value.fix
    assert not list((tmp_path / "out").rglob("*.parquet"))


@pytest.mark.parametrize(
    ("changes", "kind", "message"),
    [
        ({"version": 7}, ConfigError, "has no version 7"),
        ({"model": "n"}, ConfigError, "No version of model 'n' has been pushed"),
        ({"keys": ["ib"]}, DataError, "no column 'ib', which keys name"),
        ({"shard_rows": 0}, ConfigError, "shard_rows is 0"),
        ({"as_of": "yesterday"}, ConfigError, "'yesterday' is no moment"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(push, predict, table, changes, kind, message):
    push()
    with pytest.raises(kind, match=message):
        predict(table, **changes)


def test_a_place_without_a_table_is_named(predict, tmp_path):
    with pytest.raises(SourceError, match=r"There is no Parquet file at .*nowhere"):
        predict(tmp_path / "nowhere")
    (tmp_path / "rows.csv").write_text("id\n1\n")
    with pytest.raises(SourceError, match=r"rows\.csv is no Parquet file"):
        predict(tmp_path / "rows.csv")


def test_a_destination_that_cannot_be_written_is_named(push, predict, table, tmp_path):
    push()
    (tmp_path / "out").write_text("a file")
    with pytest.raises(StorageError, match="cannot be written: a file is where a folder"):
        predict(table)


def test_people_are_told(push, predict, table):
    push()
    result = predict(table)
    assert batch_inference.verdict(result) == "10 rows predicted by version 1, 1 of them rejected"
    assert "| rejected | 1 |" in batch_inference.summary(result)
