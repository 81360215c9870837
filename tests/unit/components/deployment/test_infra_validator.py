"""Only a model that its server can load, and that answers the same rows alike, is blessed."""

import faulthandler
import os
import subprocess
import sys
import textwrap

import pytest

from headrace.components.deployment.infra_validator import probe, validator

# The pattern of TFX's own examples: Python finds the variables, the C++ loader does not.
BROKEN = """
    import sys
    from pathlib import Path
    from headrace.components.shared import tensorflow_env
    import keras
    import tensorflow as tf

    module = tf.Module()
    module.model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
    def serve_examples(examples):
        parsed = tf.io.parse_example(examples, {"y": tf.io.FixedLenFeature([1], tf.int64)})
        return {"probability": tf.reshape(module.model(tf.cast(parsed["y"], tf.float32)), [-1])}

    @tf.function(input_signature=[{"y": tf.TensorSpec([None], tf.int64, name="y")}])
    def serve_tensors(features):
        numbers = tf.reshape(tf.cast(features["y"], tf.float32), [-1, 1])
        return {"probability": tf.reshape(module.model(numbers), [-1])}

    signatures = {"serving_default": serve_examples, "raw_tensors": serve_tensors}
    tf.saved_model.save(module, sys.argv[1], signatures=signatures)
    """
# A fresh process, as a step is: forking one in which TensorFlow has run may hang.
VALIDATE = """
    import sys
    from pathlib import Path
    from headrace.components.deployment.infra_validator import validator
    for model in sys.argv[2:]:
        print(validator.run(model=Path(model), source=Path(sys.argv[1])))
    """


def python(code, *arguments):
    command = [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.fixture(scope="module")
def verdicts(trained, example_artifact, tmp_path_factory):
    broken = tmp_path_factory.mktemp("broken")
    python(BROKEN, broken)
    empty = tmp_path_factory.mktemp("empty")
    return python(VALIDATE, example_artifact, trained[1], broken, empty)


def test_a_good_export_is_blessed_after_real_rows(verdicts):
    assert verdicts[0].startswith("Result(blessed=True")
    assert "200 real rows answered alike by both signatures" in verdicts[0]


def test_an_export_whose_variables_only_python_finds_is_refused(verdicts):
    assert verdicts[1].startswith("Result(blessed=False")
    assert "the model cannot be served" in verdicts[1]
    assert "Could not find variable" in verdicts[1]


def test_a_folder_without_a_model_is_refused(verdicts):
    assert verdicts[2].startswith("Result(blessed=False")
    assert "SavedModel file does not exist" in verdicts[2]


def test_a_process_that_crashes_while_loading_is_a_verdict(monkeypatch, tmp_path):
    def crash(*_):
        faulthandler.disable()
        os.abort()

    monkeypatch.setattr(probe, "probe", crash)
    result = validator.run(model=tmp_path, source=tmp_path)
    assert not result.blessed
    assert "died with exit code -6" in result.verdict


def test_a_model_that_never_answers_is_a_verdict(monkeypatch, tmp_path):
    monkeypatch.setattr(probe, "probe", lambda *_: __import__("signal").pause())
    monkeypatch.setattr(validator, "_SECONDS", 0.1)
    result = validator.run(model=tmp_path, source=tmp_path)
    assert (result.blessed, "did not answer in time" in result.verdict) == (False, True)


def test_signatures_that_differ_are_refused(monkeypatch, trained, example_artifact):
    original = probe._ask

    def differing(session, signature, values):
        return original(session, signature, values) + (0.1 if "examples" in values else 0.0)

    monkeypatch.setattr(probe, "_ask", differing)
    with pytest.raises(ValueError, match=r"differ by up to 0\.1"):
        probe.probe(trained[1], example_artifact, 50)


def test_answers_that_are_not_numbers_are_refused(monkeypatch, trained, example_artifact):
    original = probe._ask
    monkeypatch.setattr(probe, "_ask", lambda *a: original(*a) * float("nan"))
    with pytest.raises(ValueError, match="50 answers are not finite"):
        probe.probe(trained[1], example_artifact, 50)
