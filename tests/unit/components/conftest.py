"""A small data set on its way through the steps; each artifact is made once, when asked for."""

import datetime as dt
import textwrap
from pathlib import Path

import numpy as np
import polars as pl
import pytest

ROWS = 600
LABEL = {"column": "y", "task": "binary_classification"}
FEATURES = {"exclude": ["id", "group"], "known_after": ["afterwards"]}
PREPROCESSING = """
    import tensorflow as tf
    import tensorflow_transform as tft


    def preprocessing_fn(inputs):
        hidden = {"id", "group", "afterwards"} & set(inputs)
        if hidden:
            raise RuntimeError(f"hidden columns arrived: {hidden}")
        number = dense(inputs["number"], float("nan"))
        missing = tf.math.is_nan(number)
        scaled = tft.scale_to_z_score(number)
        whole = tf.cast(dense(inputs["whole"], -1), tf.float32)
        return {
            "numbers": tf.concat([tf.where(missing, tf.zeros_like(scaled), scaled), whole], 1),
            "missing": tf.cast(missing, tf.float32),
            "text_id": tft.compute_and_apply_vocabulary(
                dense(inputs["text"], "(missing)"), num_oov_buckets=1
            ),
            "y": inputs["y"],
        }


    def dense(values, default):
        if not isinstance(values, tf.SparseTensor):
            return values
        shape = [values.dense_shape[0], 1]
        return tf.sparse.to_dense(tf.SparseTensor(values.indices, values.values, shape), default)
    """
MODEL = """
    import keras


    def build_model(hp, transform):
        inputs = {
            "numbers": keras.Input((2,), name="numbers"),
            "missing": keras.Input((1,), name="missing"),
            "text_id": keras.Input((1,), name="text_id", dtype="int64"),
        }
        embedded = keras.layers.Flatten()(keras.layers.Embedding(8, 2)(inputs["text_id"]))
        parts = [inputs["numbers"], inputs["missing"], embedded]
        hidden = keras.layers.Dense(hp.Int("units", 4, 12, step=4, default=8), activation="relu")(
            keras.layers.Concatenate()(parts)
        )
        output = keras.layers.Dense(1, activation="sigmoid", dtype="float32")(hidden)
        model = keras.Model(inputs, output)
        model.compile(
            optimizer=OPTIMIZER, loss="binary_crossentropy", metrics=[METRICS]
        )
        return model
    """


def model_code(optimizer="keras.optimizers.Adam(0.01)", metrics='keras.metrics.AUC(name="auc")'):
    text = textwrap.dedent(MODEL).replace("OPTIMIZER", optimizer).replace("METRICS", metrics)
    return {"model.py": text}


@pytest.fixture(scope="session")
def make_model_code():
    return model_code


@pytest.fixture(scope="session")
def preprocessing():
    return {"preprocessing.py": textwrap.dedent(PREPROCESSING)}


@pytest.fixture(scope="session")
def rows():
    rng = np.random.default_rng(1)
    number = rng.normal(size=ROWS).round(3)
    y = (number + rng.normal(size=ROWS) > 0).astype(int)
    number[rng.random(ROWS) < 0.1] = 0.0
    start = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    gone = {name: pl.Series(rng.random(ROWS) < 0.2) for name in ("number", "whole", "text")}
    table = pl.DataFrame(
        {
            "id": range(ROWS),
            "at": [start + dt.timedelta(hours=i) for i in range(ROWS)],
            "number": number,
            "whole": rng.integers(0, 5, ROWS),
            "text": rng.choice(["red", "green", "blue"], ROWS),
            "unused": rng.normal(size=ROWS),
            "group": rng.choice(["north", "south"], ROWS),
            "afterwards": y * 2.0,
            "y": y,
        }
    )
    return table.with_columns(
        pl.when(~mask).then(pl.col(name)).alias(name) for name, mask in gone.items()
    )


@pytest.fixture(scope="session")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("artifacts")


@pytest.fixture(scope="session")
def example_artifact(place, rows):
    from headrace.components.data.example_gen import example_gen

    rows.write_parquet(place / "table.parquet")
    example_gen.run(
        table=place / "table.parquet",
        label=LABEL,
        features=FEATURES,
        split={"by": "hash", "column": "id", "buckets": {"train": 3, "eval": 1, "test": 2}},
        target=place / "examples",
    )
    return place / "examples"


@pytest.fixture(scope="session")
def statistics_artifact(place, example_artifact):
    from headrace.components.validation.statistics_gen import statistics

    statistics.run(
        source=example_artifact, target=place / "statistics", page=place / "statistics.html"
    )
    return place / "statistics"


@pytest.fixture(scope="session")
def schema_artifact(place, statistics_artifact):
    from headrace.components.validation.schema_gen import schema

    schema.run(statistics=statistics_artifact, curated="", target=place / "schema")
    return place / "schema"


@pytest.fixture(scope="session")
def transformed(place, example_artifact, schema_artifact, preprocessing):
    """Folder with ``graph`` and ``examples``."""
    from headrace.components.training.transform import transform

    transform.run(
        source=example_artifact,
        schema=schema_artifact,
        code=preprocessing,
        features=FEATURES,
        beam_args=[],
        graph=place / "transformed" / "graph",
        target=place / "transformed" / "examples",
    )
    return place / "transformed"


@pytest.fixture(scope="session")
def train(transformed, tmp_path_factory):
    """Trains with given code and settings; returns the result and the folder of the model."""
    from headrace.components.training.trainer import trainer
    from headrace.components.training.tuner import tuner

    def run(code=None, task="binary_classification", graph=None, **settings):
        import keras

        place: Path = tmp_path_factory.mktemp("training")
        common = {
            "transformed": (graph or transformed) / "examples",
            "graph": (graph or transformed) / "graph",
            "code": code or model_code(),
            "label": {"column": "y", "task": task},
            "training": {"epochs": 2, "batch_size": 64, **settings},
        }
        tuner.run(tuning={"trials": 0}, target=place / "hyperparameters", **common)
        try:
            result = trainer.run(
                hyperparameters=place / "hyperparameters",
                model=place / "model",
                model_run=place / "run",
                **common,
            )
        finally:
            keras.config.set_dtype_policy("float32")
        return result, place / "model"

    return run


@pytest.fixture(scope="session")
def trained(train):
    """The result and the SavedModel of the usual model."""
    return train(epochs=4)
