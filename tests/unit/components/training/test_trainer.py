"""Training: the best epoch is what is exported, and both signatures answer alike."""

import json

import numpy as np
import pytest

from headrace.components.shared import examples, predict, signatures
from headrace.components.shared.errors import ProjectCodeError, StepError
from headrace.components.training.trainer import trainer
from headrace.components.training.trainer.export import missing_value

# Learns in the first epoch (five steps of 64 rows), and ruins the weights from the second on.
RUINED = "keras.optimizers.SGD(keras.optimizers.schedules.PiecewiseConstantDecay([5], [0.3, 9.0]))"


def answers(model, artifact, split="eval"):
    return predict.predict(model, examples.shards(artifact, split))


def truth(artifact, split="eval"):
    table = examples.read(examples.shards(artifact, split), ["y"])
    return np.array(table["y"].to_pylist())


def raw_answers(model, columns, count):
    import tensorflow as tf

    signature = tf.saved_model.load(str(model)).signatures[signatures.RAW_SIGNATURE]
    feeds = {}
    for name, spec in signature.structured_input_signature[1].items():
        fill = missing_value(spec.dtype)
        values = columns.get(name, [None] * count)
        feeds[name] = tf.constant([fill if v is None else v for v in values], spec.dtype)
    (found,) = signature(**feeds).values()
    return found.numpy()


def test_the_best_epoch_is_exported_not_the_last(train, make_model_code, example_artifact):
    code = make_model_code(optimizer=RUINED, metrics="")
    result, model = train(code=code, epochs=6, patience=2)
    losses = result.history["val_loss"]
    best = int(np.nanargmin(losses))
    assert best < len(losses) - 1
    assert len(losses) <= best + 3, "training stops after two epochs without improvement"
    assert result.best["val_loss"] == losses[best]
    label, shown = truth(example_artifact), answers(model, example_artifact).clip(1e-7, 1 - 1e-7)
    loss = -np.mean(label * np.log(shown) + (1 - label) * np.log1p(-shown))
    assert loss == pytest.approx(losses[best], rel=1e-3)
    history = json.loads((model.parent / "run" / "history.json").read_text())
    assert history["best_epoch"] == best + 1


def test_auc_is_watched_where_the_model_has_it(trained):
    result, _ = trained
    assert result.best["val_auc"] == max(result.history["val_auc"])


def test_the_model_learns(trained, example_artifact):
    from sklearn.metrics import roc_auc_score

    _, model = trained
    found = roc_auc_score(truth(example_artifact), answers(model, example_artifact))
    assert found > 0.65


def test_the_result_tells_what_serving_needs_and_what_was_used(trained):
    result, _ = trained
    assert result.features == ["number", "text", "whole"]
    assert result.hyperparameters == {"units": 8}
    assert result.parameters == 8 * 2 + (5 + 1) * 8 + 8 + 1
    text = trainer.summary(result)
    assert "| units | 8 |" in text
    assert text.count("\n| 1 |") == 1


def test_both_signatures_agree_also_on_missing_values(trained, example_artifact):
    _, model = trained
    table = examples.read(examples.shards(example_artifact, "eval"))
    assert all(table[name].null_count for name in ("number", "text", "whole"))
    found = raw_answers(model, table.to_pydict(), table.num_rows)
    np.testing.assert_allclose(found, answers(model, example_artifact), atol=1e-6)


def test_missing_is_not_zero_in_either_signature(trained):
    _, model = trained
    columns = {"number": [0.0, None], "whole": [0, None], "text": ["red", None]}
    zero, gone = raw_answers(model, columns, 2)
    assert zero != gone


def test_mixed_precision_and_xla_change_speed_not_the_interface(train, example_artifact):
    result, model = train(mixed_precision=True, xla=True, batch_size=512)
    shown = answers(model, example_artifact)
    assert shown.dtype == np.float32
    assert ((shown > 0) & (shown < 1)).all()
    assert len(result.history["loss"]) == 2


def test_the_same_seed_gives_the_same_model(train, trained, example_artifact):
    again = train(epochs=4)[1]
    np.testing.assert_allclose(
        answers(again, example_artifact), answers(trained[1], example_artifact), atol=1e-6
    )


@pytest.mark.parametrize("metrics", ["", 'keras.metrics.AUC(name="auc")'])
def test_a_loss_that_is_not_a_number_exports_nothing(train, make_model_code, metrics):
    code = make_model_code(optimizer='keras.optimizers.SGD(float("nan"))', metrics=metrics)
    with pytest.raises(StepError) as caught:
        train(code=code)
    assert "became NaN in the first epoch" in caught.value.message
    assert "learning rate" in caught.value.fix


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("return model", "return None", "build_model returned NoneType; a keras.Model"),
        ("keras.Model(inputs, output)", "keras.Model(list(inputs.values()), output)", "dictionary"),
        ("model.compile(", "dict(", "a model that is not compiled"),
        ('"missing"', '"mising"', "has inputs mising, which preprocessing_fn does not give"),
        ("import keras\n", "import keras\nkeras.nothing\n", "model.py:3 in <module> raised Attrib"),
    ],
)
def test_a_model_that_cannot_be_trained_is_explained(train, make_model_code, old, new, expected):
    text = make_model_code()["model.py"]
    assert old in text
    with pytest.raises(ProjectCodeError) as caught:
        train(code={"model.py": text.replace(old, new)})
    assert expected in caught.value.message
    assert caught.value.fix


def test_a_model_with_another_shape_is_blamed_on_model_py(train, make_model_code):
    text = make_model_code()["model.py"].replace("keras.Input((2,)", "keras.Input((3,)")
    with pytest.raises(ProjectCodeError, match=r"model\.py"):
        train(code={"model.py": text})


def test_a_regression_names_its_output_prediction(train, make_model_code, example_artifact):
    import tensorflow as tf

    text = make_model_code(metrics="")["model.py"].replace("binary_crossentropy", "mse")
    _, model = train(code={"model.py": text}, task="regression", epochs=1)
    signature = tf.saved_model.load(str(model)).signatures["serving_default"]
    assert list(signature.structured_outputs) == ["prediction"]
