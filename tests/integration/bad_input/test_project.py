"""A project whose own files are wrong."""

import shutil
import subprocess
import sys

import pytest
import yaml

from headrace.pipelines.compile import COMPILED
from headrace.pipelines.local import runner
from headrace.pipelines.training.arguments import arguments


def test_an_unknown_key(project, refused):
    project.edit("project.yaml", "training:", "trainin:")
    refused("project.yaml is not valid", "trainin: unknown key", "Did you mean 'training'")


def test_a_value_of_the_wrong_type(project, refused):
    refused("training.epochs", "got 'many'", options=["--set", "training.epochs=many"])


def test_a_folder_that_is_no_project(project, refused):
    (project.folder / "project.yaml").unlink()
    refused("is not a project", "headrace init")


def test_a_preprocessing_fn_that_raises(project, refused):
    project.edit("preprocessing.py", '("a", "b")', '("a", "bb")')
    refused(
        "preprocessing.py:6 in",
        "raised KeyError",
        "'bb'",
        "Correct preprocessing.py. It receives the columns",
    )


def test_a_syntax_error_in_the_model(project, refused):
    project.edit("model.py", "def build_model(hp, transform):", "def build_model(hp, transform:")
    refused("model.py:4 raised SyntaxError", "Correct model.py")


def test_a_preprocessing_fn_that_loses_the_label(project, refused):
    project.edit("preprocessing.py", '"y": inputs["y"],', "")
    refused("preprocessing_fn does not pass the label 'y' through", "outputs['y'] = inputs['y']")


def test_a_model_that_asks_for_a_feature_that_is_not_there(project, refused):
    project.edit("model.py", '"kind_id"', '"kind"')
    refused("The model has inputs kind, which preprocessing_fn does not give", "kind_id, numbers")


def test_a_model_whose_loss_is_not_a_number(project, refused):
    project.edit("model.py", '"rate", [0.01]', '"rate", [float("nan")]')
    refused("The loss became NaN in the first epoch", "Lower the learning rate")


@pytest.fixture
def lean(tmp_path):
    """The compiled pipeline with little memory for the trainer."""
    spec = yaml.safe_load((COMPILED / "training.yaml").read_text())
    container = spec["deploymentSpec"]["executors"]["exec-trainer"]["container"]
    container["resources"].update(memoryLimit=0.05, resourceMemoryLimit="50M")
    target = tmp_path / "lean.yaml"
    target.write_text(yaml.safe_dump(spec))
    return target


def test_a_model_that_does_not_fit_into_its_memory_limit(project, lean):
    project.edit("model.py", "Dense(8,", "Dense(20_000,")
    values = arguments(project.folder, home=project.home)
    record = runner.run(lean, values, home=project.home)
    assert record.state == "failed"
    assert "Step `trainer` used" in record.error.message
    assert "its limit is 50 MB" in record.error.message
    assert "set_memory_limit" in record.error.fix


def test_the_last_good_model_loads_as_its_server_loads_it(served):
    folder = shutil.copytree(served / "models" / "tiny" / "1", served.parent / "copy")
    code = (
        "import sys, tensorflow as tf\n"
        "with tf.compat.v1.Session(graph=tf.Graph()) as session:\n"
        "    loaded = tf.compat.v1.saved_model.loader.load(session, ['serve'], sys.argv[1])\n"
        "print(sorted(loaded.signature_def))\n"
    )
    done = subprocess.run([sys.executable, "-c", code, folder], capture_output=True, text=True)
    assert "'raw_tensors', 'serving_default', 'transformed_tensors'" in done.stdout, done.stderr
