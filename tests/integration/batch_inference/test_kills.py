"""A run that is killed without warning, and the one that goes on after it."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from headrace.components.deployment.batch_inference import batch_inference
from headrace.components.shared.model_store import ModelStore
from tests.unit.batch_inference.conftest import KINDS, export

ROWS, SHARD = 6000, 10
SCRIPT = """
import sys
from headrace.components.deployment.batch_inference import batch_inference
models, rows, destination = sys.argv[1:]
batch_inference.run(
    rows=rows, destination=destination, models=models, model="m", version=0, keys=[], as_of="",
    repo_code={}, root="", shard_rows=10,
)
"""


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    ModelStore(str(folder), "m").push(export(folder / "usual", KINDS), {}, {})
    return folder


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("table") / "rows.parquet"
    pl.DataFrame(
        {
            "id": range(ROWS),
            "number": rng.normal(size=ROWS),
            "whole": rng.integers(0, 100, ROWS),
            "text": rng.choice(["red", "green", ""], ROWS),
        }
    ).write_parquet(path, row_group_size=700)
    return path


def parts(destination):
    return sorted(destination.glob("v1-*/*.parquet"))


def kill_after(process, destination, count):
    """Kills the run when that many shards are done."""
    while process.poll() is None:
        with contextlib.suppress(OSError):
            if len(parts(destination)) >= count:
                break
        time.sleep(0.002)
    assert process.poll() is None, "it ended before it could be killed"
    os.kill(process.pid, signal.SIGKILL)
    process.wait()


def test_killed_runs_go_on_and_end_as_one_that_was_not(models, table, tmp_path):
    destination = tmp_path / "out"
    words = [sys.executable, "-c", SCRIPT, str(models), str(table), str(destination)]
    done = {}
    for count in (3, 60):
        kill_after(subprocess.Popen(words), destination, count)
        found = parts(destination)
        assert count <= len(found) < ROWS // SHARD
        # Whatever is there is whole, and what an earlier run did was not done again.
        assert all(pl.read_parquet(path).height == SHARD for path in found)
        now = {path.name: path.stat().st_ino for path in found}
        assert done.items() <= now.items()
        assert not list(destination.glob("*.json"))
        done = now
    arguments = {
        "rows": str(table),
        "models": str(models),
        "model": "m",
        "version": 0,
        "keys": [],
        "as_of": "",
        "repo_code": {},
        "root": "",
        "shard_rows": SHARD,
    }
    resumed = batch_inference.run(destination=str(destination), **arguments)
    unbroken = batch_inference.run(destination=str(tmp_path / "other"), **arguments)
    assert resumed.found_done == len(done)
    assert unbroken.found_done == 0
    after = {path.name: path.stat().st_ino for path in parts(destination)}
    assert done.items() <= after.items()
    first, second = (
        pl.read_parquet(result.folder).drop("predicted_at") for result in (resumed, unbroken)
    )
    assert first.equals(second)
    assert first["id"].to_list() == list(range(ROWS))
    left = {path.name for path in destination.iterdir()}
    assert left == {Path(resumed.folder).name, f"{Path(resumed.folder).name}.json"}
