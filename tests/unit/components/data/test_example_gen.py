"""Examples hold exactly the values of the table: zeros are values, missing is missing."""

import datetime as dt
import decimal
import math

import polars as pl
import pytest

from headrace.components.data.example_gen import example_gen
from headrace.components.shared import examples
from headrace.components.shared.errors import DataError

MOMENT = dt.datetime(2024, 5, 6, 7, 8, 9, 123_456, tzinfo=dt.UTC)
MICROS = 1_714_979_289_123_456
VALUES = {
    "whole": [0, None, 7],
    "number": [0.0, None, 1.5],
    "text": ["", None, "größe"],
    "flag": [False, None, True],
    "at": [MOMENT, None, MOMENT],
    "day": [dt.date(2024, 5, 6), None, dt.date(1970, 1, 1)],
    "money": [decimal.Decimal("0.00"), None, decimal.Decimal("12.50")],
    "naive": [MOMENT.replace(tzinfo=None), None, MOMENT.replace(tzinfo=None)],
}
EXPECTED = {
    "whole": [0, None, 7],
    "number": [0.0, None, 1.5],
    "text": ["", None, "größe"],
    "flag": [0, None, 1],
    "at": [MICROS, None, MICROS],
    "day": [1_714_953_600_000_000, None, 0],
    "money": [0.0, None, 12.5],
    "naive": [MICROS, None, MICROS],
}


@pytest.fixture
def generate(tmp_path):
    def run(table, split=None, **features):
        table.write_parquet(tmp_path / "table.parquet")
        counts = example_gen.run(
            table=tmp_path / "table.parquet",
            label={"column": "y"},
            features=features,
            split=split or {"by": "column", "column": "part"},
            target=tmp_path / "examples",
        )
        return counts, {
            name: examples.read(examples.shards(tmp_path / "examples", name)) for name in counts
        }

    return run


@pytest.fixture
def table():
    once = pl.DataFrame({**VALUES, "y": [0, 1, 0], "row": [0, 1, 2]})
    parts = ("train", "eval", "test")
    return pl.concat(once.with_columns(part=pl.lit(name)) for name in parts)


@pytest.mark.parametrize("name", sorted(VALUES))
def test_zero_and_empty_stay_values_and_nulls_stay_missing(generate, table, name):
    _, found = generate(table)
    assert found["train"][name].to_pylist() == EXPECTED[name]


def test_tensorflow_itself_reads_the_same_presence_and_values(generate, table, tmp_path):
    import tensorflow as tf

    generate(table)
    kinds = {"whole": tf.int64, "number": tf.float32, "text": tf.string, "at": tf.int64}
    spec = {name: tf.io.VarLenFeature(kind) for name, kind in kinds.items()}
    records = next(examples.serialized(examples.shards(tmp_path / "examples", "eval")))
    parsed = tf.io.parse_example(records, spec)
    for name in kinds:
        assert parsed[name].indices.numpy()[:, 0].tolist() == [0, 2], name
    assert parsed["whole"].values.numpy().tolist() == [0, 7]
    assert parsed["number"].values.numpy().tolist() == [0.0, 1.5]
    assert parsed["text"].values.numpy().tolist() == [b"", "größe".encode()]
    assert parsed["at"].values.numpy().tolist() == [MICROS, MICROS]


def test_every_row_is_written_once_in_order(generate, rows):
    counts, found = generate(rows, split={"by": "hash", "column": "id"}, exclude=["afterwards"])
    ids = [identity for name in counts for identity in found[name]["id"].to_pylist()]
    assert sorted(ids) == rows["id"].to_list()
    assert counts == {name: part.num_rows for name, part in found.items()}
    assert all(part["id"].to_pylist() == sorted(part["id"].to_pylist()) for part in found.values())


def test_nan_becomes_missing(generate, table):
    number = pl.when(pl.col("row") == 0).then(math.nan).otherwise("number").alias("number")
    _, found = generate(table.with_columns(number))
    assert found["train"]["number"].to_pylist() == [None, None, 1.5]


def test_a_split_with_one_class_is_named(generate, table):
    y = pl.when(pl.col("part") == "eval").then(1).otherwise("y").alias("y")
    with pytest.raises(DataError) as caught:
        generate(table.with_columns(y))
    assert "Label 'y', split 'eval': only the value 1 occurs" in caught.value.message
    assert "split" in caught.value.fix


def test_a_refused_table_leaves_no_examples(generate, table, tmp_path):
    y = pl.when(pl.col("part") == "test").then(1).otherwise("y").alias("y")
    with pytest.raises(DataError):
        generate(table.with_columns(y))
    assert not (tmp_path / "examples").exists()


def test_many_rows_come_back_whole_also_where_a_batch_has_no_value(tmp_path):
    count = 20_000
    late = [None] * 15_000 + list(range(5_000))
    table = pl.DataFrame({"n": range(count), "late": late}).to_arrow()
    examples.write(table, tmp_path / "Split-train")
    found = examples.read(examples.shards(tmp_path, "train"))
    assert found["n"].to_pylist() == list(range(count))
    assert found["late"].to_pylist() == late
    assert examples.read(examples.shards(tmp_path, "train"), ["n"]).column_names == ["n"]
