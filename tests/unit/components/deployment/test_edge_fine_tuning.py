"""Models that are trained again for devices, and the flat form in which they are."""

import dataclasses

import numpy as np
import pytest

from headrace.components.deployment.edge_export import conversion, fine_tuning, source
from headrace.components.deployment.edge_export.flat import flatten
from headrace.components.shared.config.edge import FineTuning
from headrace.components.shared.errors import ProjectCodeError

TASK = "binary_classification"
WIDTH, PLACES = 24, 6


@pytest.fixture(scope="module")
def flat(tmp_path_factory):
    """A model with an embedding, and with a matrix that the members of an ensemble share."""
    import keras
    import tensorflow as tf
    from keras import layers, ops

    keras.utils.set_random_seed(3)
    inputs = {
        "Numbers": keras.Input((WIDTH,), name="Numbers"),
        "place": keras.Input((1,), name="place", dtype="int64"),
    }
    place = layers.Flatten()(layers.Embedding(PLACES, 8)(inputs["place"]))
    hidden = layers.Concatenate()([inputs["Numbers"], place])
    members = ops.expand_dims(hidden, 1) * ops.reshape(ops.linspace(0.5, 2.0, 4), (4, 1))
    members = layers.Dense(64, "relu")(members)
    members = layers.Dense(32, "relu")(members)
    output = ops.mean(layers.Dense(1, "sigmoid")(members), axis=1)
    network = keras.Model(inputs, output)

    module = tf.Module()
    module.kept = [variable.value for variable in network.variables]
    spec = {name: tf.TensorSpec(x.shape, x.dtype, name) for name, x in inputs.items()}
    module.call = tf.function(
        lambda features: {"score": tf.reshape(network(features), [-1])},
        input_signature=[spec],
    )
    folder = str(tmp_path_factory.mktemp("model"))
    tf.saved_model.save(module, folder, signatures={"serving_default": module.call})
    loaded = tf.saved_model.load(folder)  # its variables live as long as it does
    return flatten(loaded.signatures["serving_default"])


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(5)
    return {
        "Numbers": rng.normal(size=(4000, WIDTH)).astype(np.float32),
        "place": rng.integers(0, PLACES, (4000, 1)),
    }


@pytest.fixture(scope="module")
def pruned(flat, rows):
    return fine_tuning.pruned(flat, rows, FineTuning(batches=64, sparsity=0.7), TASK)


def test_devices_compute_no_shapes(flat):
    content = source.converter(flat).convert()
    names = {one["op_name"] for one in interpreter(content)._get_ops_details()}
    assert "FULLY_CONNECTED" in names
    assert names & {"SHAPE", "PACK", "STRIDED_SLICE", "REDUCE_PROD", "TRANSPOSE"} == set()


def test_files_keep_the_names_of_the_features(flat):
    signature = interpreter(source.converter(flat).convert()).get_signature_list()
    assert signature["serving_default"] == {"inputs": ["Numbers", "place"], "outputs": ["score"]}


def test_one_row_and_many_get_the_same_answers(flat, rows):
    content = source.converter(flat).convert()
    wanted = answers(flat, rows)
    some = {name: values[:7] for name, values in rows.items()}
    first = {name: values[:1] for name, values in rows.items()}
    np.testing.assert_allclose(ask(content, some), wanted[:7], atol=1e-6)
    np.testing.assert_allclose(ask(content, first), wanted[:1], atol=1e-6)


def test_each_matrix_has_the_stated_share_of_zeros(pruned):
    matrices = pruned.matrices()
    assert sorted(one.shape for one in matrices.values()) == [(32, 1), (32, 64), (64, 32)]
    for one in matrices.values():
        assert (one == 0).sum() == round(0.7 * one.size)


def test_training_makes_up_for_pruned_weights(flat, pruned, rows):
    cut = {
        name: np.where(np.abs(one) > np.quantile(np.abs(one), 0.7), one, 0)
        for name, one in flat.matrices().items()
    }
    wanted = answers(flat, rows)
    trained = np.abs(answers(pruned, rows) - wanted).mean()
    assert trained < 0.5 * np.abs(answers(flat.exchanged(cut), rows) - wanted).mean()


def test_a_pruned_file_leaves_the_zeros_out(flat, pruned, rows):
    def content(model):
        graph = source.Graph(model, b"", False, "")
        return conversion.convert(graph, "pruned", rows, "score")

    assert len(content(pruned)) < 0.75 * len(content(flat))
    some = {name: values[:50] for name, values in rows.items()}
    np.testing.assert_allclose(ask(content(pruned), some), answers(pruned, some), atol=1e-5)


def test_weights_trained_for_8_bits_answer_nearer_in_8_bits(flat, rows):
    some = {name: values[:500] for name, values in rows.items()}
    aware = fine_tuning.quantisation_aware(
        flat, rows, conversion.stretched(some), FineTuning(batches=64), TASK
    )
    wanted = answers(flat, rows)

    def apart(model):
        graph = source.Graph(model, b"", False, "")
        return np.abs(ask(conversion.convert(graph, "int8", some, "score"), rows) - wanted).mean()

    assert 0 < apart(aware) < apart(flat)


def test_a_model_without_matrices_says_so(flat, rows):
    bare = dataclasses.replace(flat, definition=type(flat.definition)())
    with pytest.raises(ProjectCodeError, match="no matrix of weights"):
        fine_tuning.pruned(bare, rows, FineTuning(batches=1), TASK)


def test_zeros_come_early_and_stay():
    """Zhu and Gupta's cubic ramp."""
    assert fine_tuning.sparsity_at(0, 0.8) == 0
    assert fine_tuning.sparsity_at(0.5, 0.8) == pytest.approx(0.7)
    assert fine_tuning.sparsity_at(2, 0.8) == pytest.approx(0.8)


def answers(flat, rows):
    import tensorflow as tf

    return tf.function(lambda features: flat(features, {}))(rows).numpy()


def interpreter(content):
    from ai_edge_litert.interpreter import Interpreter

    return Interpreter(model_content=content)


def ask(content, rows):
    model = interpreter(content)
    details = model.get_input_details()
    feeds = [
        (one["index"], rows[one["name"].removeprefix("serving_default_").partition(":")[0]])
        for one in details
    ]
    for index, values in feeds:
        model.resize_tensor_input(index, values.shape)
    model.allocate_tensors()
    for index, values in feeds:
        model.set_tensor(index, values)
    model.invoke()
    return model.get_tensor(model.get_output_details()[0]["index"])
