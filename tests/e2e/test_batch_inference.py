"""A whole table predicted by a pushed model, through the compiled pipeline."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import polars as pl

from headrace.components.shared import examples
from headrace.components.shared.predict import predict
from tests.e2e.conftest import HEADRACE, ROOT, Outcome


def test_the_table_gets_what_the_model_answers_in_process(
    housing_run: Outcome, tmp_path: Path
) -> None:
    artifacts = housing_run.record.tasks["example-gen"].outputs.artifacts
    shards = examples.shards(Path(artifacts["examples"].uri), "test")
    rows = pl.from_arrow(examples.read(shards))
    assert isinstance(rows, pl.DataFrame)
    rows.with_row_index("tract").write_parquet(tmp_path / "rows.parquet")
    done = subprocess.run(
        [
            *(HEADRACE, "predict", "batch", "examples/housing"),
            *(tmp_path / "rows.parquet", tmp_path / "out"),
            *("--key", "tract", "--home", housing_run.home),
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = pl.read_parquet(done.stdout.splitlines()[-1])
    assert found.columns == ["tract", "prediction", "rejected", "model_version", "predicted_at"]
    expected = predict(housing_run.home / "models" / "housing" / "1", shards)
    np.testing.assert_allclose(found["prediction"].to_numpy(), expected, rtol=0, atol=1e-6)
