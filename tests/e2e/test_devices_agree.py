"""A device answers every flight like the server does, from raw features, missing ones included."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from headrace.components.deployment.batch_inference.model import Model
from headrace.components.shared import examples
from headrace.components.shared.config.data import SPLITS
from headrace.serving.edge.device.runtime import load
from tests.e2e.conftest import Outcome

pytestmark = pytest.mark.e2e
FLIGHTS = 327_346
#: Largest difference of a probability; the integers of int8 are for the gate to judge.
TOLERANCES = {"float32": 1e-5, "float16": 0.01, "onnx": 1e-5}


@pytest.fixture(scope="module")
def flights(flights_run: Outcome) -> pl.DataFrame:
    """Every labelled flight."""
    source = Path(flights_run.record.tasks["example-gen"].outputs.artifacts["examples"].uri)
    tables = [
        pl.DataFrame(pl.from_arrow(examples.read(examples.shards(source, split))))
        for split in SPLITS
    ]
    return pl.concat(tables, how="diagonal_relaxed")


def test_every_flight_gets_the_same_answer_on_a_device(
    flights_run: Outcome, flights: pl.DataFrame
) -> None:
    models = flights_run.home / "models" / "flights"
    differences = compare(models / "1", models / "edge" / "1", flights)
    assert len(flights) == FLIGHTS
    assert {name: found for name, found in differences.items() if found > TOLERANCES[name]} == {}


def compare(served: Path, bundle: Path, table: pl.DataFrame) -> dict[str, float]:
    """Largest difference of each variant's answers from the served model's, over all rows."""
    model = Model(served)
    raw = model.tensors(table)
    assert any(np.isnan(values).any() for values in raw.values() if values.dtype.kind == "f")
    wanted = model.predict(table)["probability"].to_numpy()
    manifest = json.loads((bundle / "manifest.json").read_text())
    found = {}
    for variant in TOLERANCES.keys() & manifest["variants"].keys():
        answers = load(bundle, variant).predict_batch(raw)["probability"]
        assert answers.shape == wanted.shape
        found[variant] = float(np.abs(answers - wanted).max())
    return found
