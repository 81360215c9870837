"""A small pushed model whose answers can be worked out by hand."""

from __future__ import annotations

import pytest

from headrace.components.deployment.batch_inference import batch_inference
from headrace.components.shared.model_store import ModelStore
from headrace.components.shared.signatures import MISSING_INT

#: Inputs of the usual model; no training example lacked `whole`.
KINDS = {"number": "float32", "whole": "int64", "text": "string"}


def export(folder, kinds, factor=1.0):
    """A SavedModel that answers the sum of its numbers and of its texts' lengths, times a factor.

    A missing value counts 100.
    """
    import tensorflow as tf

    class Model(tf.Module):
        def __init__(self):
            super().__init__()
            self.factor = tf.Variable(factor)

        def value(self, tensor):
            if tensor.dtype == tf.string:
                number, gone = tf.strings.length(tensor), tf.equal(tensor, "")
            elif tensor.dtype.is_floating:
                number, gone = tensor, tf.math.is_nan(tensor)
            else:
                number, gone = tensor, tf.equal(tensor, MISSING_INT)
            return tf.where(gone, 100.0, tf.cast(number, tf.float32))

    model = Model()
    specs = {name: tf.TensorSpec([None], getattr(tf, kind), name) for name, kind in kinds.items()}

    @tf.function(input_signature=[specs])
    def score(features):
        return {"score": model.factor * tf.add_n([model.value(v) for v in features.values()])}

    model.score = score
    tf.saved_model.save(model, str(folder), signatures={"raw_tensors": score})
    return folder


@pytest.fixture(scope="session")
def exports(tmp_path_factory):
    """SavedModels by name."""
    folder = tmp_path_factory.mktemp("exports")
    prices = {"mean_price": "float32", "total": "float32", "pieces": "int64"}
    return {
        "usual": export(folder / "usual", KINDS),
        "double": export(folder / "double", KINDS, factor=2.0),
        "prices": export(folder / "prices", prices),
    }


@pytest.fixture
def push(tmp_path, exports):
    """Pushes an export as the next version of the model ``m``."""

    def run(name="usual", **manifest):
        schema = tmp_path / "schema"
        schema.mkdir(exist_ok=True)
        (schema / "schema.pbtxt").write_text(
            'feature { name: "whole" type: INT shape { dim { size: 1 } } }\n'
            'feature { name: "number" type: FLOAT }\n'
        )
        store = ModelStore(str(tmp_path / "models"), "m")
        return store.push(exports[name], {"schema": schema}, manifest)

    return run


@pytest.fixture
def predict(tmp_path):
    """Runs the work on a table."""

    def run(rows, **changes):
        values = {
            "destination": str(tmp_path / "out"),
            "models": str(tmp_path / "models"),
            "model": "m",
            "version": 0,
            "keys": [],
            "as_of": "",
            "repo_code": {},
            "root": "",
            "shard_rows": 4,
        }
        return batch_inference.run(rows=str(rows), **{**values, **changes})

    return run
