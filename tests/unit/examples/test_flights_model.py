"""The flights model is trained with the same mathematics that it later answers with."""

import importlib.util
from pathlib import Path

import keras
import numpy as np
import pytest

ROOT = Path(__file__).parents[3]


@pytest.fixture
def layer():
    path = ROOT / "examples" / "flights" / "model.py"
    spec = importlib.util.spec_from_file_location("flights_model", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.EnsembleInput(units=16, members=4)


def test_the_first_layer_answers_as_it_is_trained(layer):
    inputs = keras.random.normal((32, 10), seed=1)
    layer.build(inputs.shape)
    layer.scale_out.assign(keras.random.normal(layer.scale_out.shape, seed=2))
    layer.bias.assign(keras.random.normal(layer.bias.shape, seed=3))
    answered = np.asarray(layer(inputs))
    assert answered.shape == (32, 4, 16)
    np.testing.assert_allclose(np.asarray(layer(inputs, training=True)), answered, atol=1e-5)
    assert not np.allclose(answered[:, 0], answered[:, 1])  # members differ
