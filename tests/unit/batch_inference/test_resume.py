"""What is done again and what is not."""

import json
from pathlib import Path

import polars as pl
import pytest

from headrace.components.deployment.batch_inference import batch_inference


@pytest.fixture
def table(tmp_path):
    rows = {"id": range(8), "number": [1.0] * 8, "whole": range(8), "text": ["a"] * 8}
    pl.DataFrame(rows).write_parquet(tmp_path / "rows.parquet")
    return tmp_path / "rows.parquet"


def written(folder):
    """Each file's identity: a file that is written again has another."""
    return {path.name: path.stat().st_ino for path in Path(folder).glob("*.parquet")}


def test_what_is_done_is_not_done_again(push, predict, table):
    push()
    first = predict(table)
    before = written(first.folder)
    (Path(first.folder) / "part-00001-of-00002.parquet").unlink()
    second = predict(table)
    assert second.folder == first.folder
    assert (second.shards, second.found_done, second.rows) == (2, 1, 8)
    after = written(second.folder)
    assert after.keys() == before.keys()
    assert after["part-00000-of-00002.parquet"] == before["part-00000-of-00002.parquet"]
    assert "1 of 2 shards were done before" in batch_inference.verdict(second)


def test_when_all_is_done_no_prediction_is_written_again(push, predict, table):
    push()
    before = written(predict(table).folder)
    again = predict(table)
    assert again.found_done == again.shards == 2
    assert written(again.folder) == before


def test_another_table_model_or_shape_starts_anew(push, predict, table):
    push()
    first = predict(table)
    folders = {first.folder, predict(table, keys=["id", "whole"]).folder}
    folders.add(predict(table, shard_rows=3).folder)
    pl.read_parquet(table).with_columns(number=pl.lit(2.0)).write_parquet(table)
    changed = predict(table)
    folders.add(changed.folder)
    assert changed.found_done == 0
    push("double")
    folders.add(predict(table).folder)
    assert len(folders) == 5
    # What was there before is still there, as it was.
    assert pl.read_parquet(first.folder)["score"].to_list() == [2.0 + n for n in range(8)]


def test_the_record_comes_last_and_what_a_killed_run_left_goes(push, predict, table):
    push()
    folder = Path(predict(table).folder)
    record = folder.with_suffix(".json")
    assert json.loads(record.read_text())["rows"] == 8
    record.unlink()
    (folder / "part-00000-of-00002.parquet").unlink()
    left = folder.parent / f".{folder.name}.tmp-4711"
    left.write_bytes(b"half a file")
    predict(table)
    assert sorted(path.name for path in folder.parent.iterdir()) == [folder.name, record.name]


def test_a_table_without_rows_is_done_at_once(push, predict, table):
    push()
    pl.read_parquet(table).head(0).write_parquet(table)
    result = predict(table)
    assert (result.rows, result.shards) == (0, 0)
