"""A tiny project that has a good model in service, and a way to run spoilt copies of it."""

import os
import re
import subprocess
import sys
import textwrap
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from headrace.components.shared import files
from tests.support.mounts import mounted  # noqa: F401

ROWS = 400
FILES = {
    "project.yaml": """
        name: tiny
        label: {column: y}
        sources:
          rows:
            path: rows.csv
            clean:
              timestamps: {at: {}}
              required: [id]
              unique: [id]
        features: {exclude: [id, at]}
        split: {by: hash, column: id, buckets: {train: 6, eval: 2, test: 2}}
        training: {epochs: 2, batch_size: 64}
        evaluation: {resamples: 100, thresholds: {auc: {min: 0.2}}}
        promotion: {rule: not_worse, margin: 0.9, resamples: 100}
        """,
    "preprocessing.py": """
        import tensorflow as tf
        import tensorflow_transform as tft


        def preprocessing_fn(inputs):
            numbers = tf.concat([tf.cast(inputs[name], tf.float32) for name in ("a", "b")], axis=1)
            kind = tft.compute_and_apply_vocabulary(inputs["kind"], num_oov_buckets=1)
            return {
                "numbers": tft.scale_to_z_score(numbers, elementwise=True),
                "kind_id": tf.cast(kind, tf.float32),
                "y": inputs["y"],
            }
        """,
    "model.py": """
        import keras


        def build_model(hp, transform):
            inputs = {
                "numbers": keras.Input((2,), name="numbers"),
                "kind_id": keras.Input((1,), name="kind_id"),
            }
            hidden = keras.layers.Dense(8, activation="relu")(
                keras.layers.Concatenate()(list(inputs.values()))
            )
            model = keras.Model(inputs, keras.layers.Dense(1, activation="sigmoid")(hidden))
            model.compile(
                optimizer=keras.optimizers.Adam(hp.Choice("rate", [0.01])),
                loss="binary_crossentropy",
                metrics=[keras.metrics.AUC(name="auc")],
            )
            return model
        """,
}


def table():
    rng = np.random.default_rng(5)
    a, b = rng.normal(size=ROWS), rng.normal(size=ROWS)
    noise = rng.normal(size=ROWS)
    return pl.DataFrame(
        {
            "id": range(ROWS),
            "at": [f"2024-01-{1 + i % 28:02}T10:00:00Z" for i in range(ROWS)],
            "a": a.round(4),
            "b": b.round(4),
            "kind": ["x" if value > 0 else "z" for value in noise],
            "y": (a + noise > 0).astype(int),
        }
    )


@dataclass
class Outcome:
    """How a command ended, with line breaks of the terminal taken out."""

    code: int
    text: str

    def says(self, *phrases):
        missing = [phrase for phrase in phrases if phrase not in self.text]
        assert not missing, f"not said: {missing}\n{self.text}"


@dataclass
class Project:
    folder: Path
    home: Path
    environment: dict = field(default_factory=dict)

    @property
    def rows(self):
        return self.folder / "rows.csv"

    def write(self, rows, **options):
        rows.write_csv(self.rows, **options)

    def edit(self, name, old, new):
        path = self.folder / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    def run(self, *options, home=None):
        command = [Path(sys.executable).parent / "headrace", "run", str(self.folder)]
        done = subprocess.run(
            [*command, "--home", str(home or self.home), *options],
            capture_output=True,
            text=True,
            env={**os.environ, "COLUMNS": "400", "NO_COLOR": "1", **self.environment},
            timeout=300,
        )
        return Outcome(done.returncode, re.sub(r"\s+", " ", done.stdout + done.stderr))


def scaffold(folder, home):
    folder.mkdir(parents=True)
    for name, text in FILES.items():
        (folder / name).write_text(textwrap.dedent(text).lstrip())
    project = Project(folder, home)
    project.write(table())
    return project


@pytest.fixture(scope="session")
def served(tmp_path_factory):
    """The home in which version 1 of the good model is live."""
    base = tmp_path_factory.mktemp("served")
    outcome = scaffold(base / "tiny", base / "home").run()
    assert outcome.code == 0, outcome.text
    return base / "home"


@pytest.fixture
def project(tmp_path, served):
    """A fresh copy of the good project, to be spoilt; the good model must outlive the test."""
    live = served / "models" / "tiny"
    before = {path.name: files.digest(path) for path in live.iterdir()}
    yield scaffold(tmp_path / "tiny", served)
    assert {path.name: files.digest(path) for path in live.iterdir()} == before


@pytest.fixture
def rows():
    return table()


@pytest.fixture
def refused(project):
    """Runs the spoilt project: it must fail, say all of this, and show no traceback."""

    def run(*phrases, options=(), home=None):
        outcome = project.run(*options, home=home)
        assert outcome.code == 1, outcome.text
        outcome.says(*phrases)
        assert "Traceback (most recent call last)" not in outcome.text, outcome.text
        return outcome

    return run
