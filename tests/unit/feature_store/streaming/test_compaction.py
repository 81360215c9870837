import os
import time

import polars as pl
import pytest

from headrace.feature_store.streaming.compaction import compact


@pytest.fixture
def folder(tmp_path):
    pl.DataFrame({"n": [-1]}).write_parquet(tmp_path / "history.parquet")
    return tmp_path


def add(folder, numbers):
    for n in numbers:
        pl.DataFrame({"n": [n]}).write_parquet(folder / f"pushed-{1000 + n}-x-0.parquet")


def rows(folder):
    return sorted(pl.scan_parquet(f"{folder}/*.parquet").collect()["n"].unique())


def age(folder):
    for path in folder.glob("*-merged.parquet"):
        os.utime(path, (time.time() - 1000,) * 2)


def test_few_files_are_left_alone(folder):
    add(folder, range(3))

    assert compact(folder, many=4) == 0
    assert len(list(folder.iterdir())) == 4


def test_many_files_become_one_and_go_after_a_while(folder):
    add(folder, range(5))

    assert compact(folder, many=4) == 5
    assert len(list(folder.glob("*-merged.parquet"))) == 1
    assert len(list(folder.glob("*.parquet"))) == 7, "readers may still need them"
    age(folder)
    assert compact(folder, many=4) == 0

    assert len(list(folder.glob("*.parquet"))) == 2
    assert rows(folder) == [-1, 0, 1, 2, 3, 4]
    assert (folder / "history.parquet").exists()


def test_files_are_not_merged_twice(folder):
    add(folder, range(5))
    compact(folder, many=4)

    assert compact(folder, many=4) == 0


def test_files_that_came_meanwhile_are_merged_with_the_merged_one(folder):
    add(folder, range(5))
    compact(folder, many=4)
    age(folder)
    add(folder, range(5, 8))

    assert compact(folder, many=4) == 4
    age(folder)
    compact(folder, many=4)

    assert rows(folder) == [-1, *range(8)]
    assert len(list(folder.glob("*.parquet"))) == 2


def test_what_a_crash_left_goes_away(folder):
    add(folder, range(2))
    left = folder / ".pushed-9-merged.parquet.tmp"
    left.write_bytes(b"PAR1")

    compact(folder, many=9)

    assert not left.exists()
