"""A bundle answers in environments without TensorFlow and without Headrace."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ..environments import environment_of

#: Asks one variant in every way, and tells what was loaded for it.
ASK = """
import json, sys
sys.path.insert(0, sys.argv[1])
from headrace_edge import EdgeModel
model = EdgeModel(sys.argv[1], variant=sys.argv[2], threads=2)
rows = json.loads(sys.argv[3])
columns = {name: [row[name] for row in rows] for name in rows[0]}
print(json.dumps({
    "single": [model.predict(row)["probability"] for row in rows],
    "batch": model.predict_batch(columns)["probability"].tolist(),
    "many": model.predict_batch({n: c * 2500 for n, c in columns.items()})["probability"].tolist(),
    "none": model.predict_batch({n: [] for n in columns})["probability"].tolist(),
    "modules": sorted({name.split(".")[0] for name in sys.modules} - sys.stdlib_module_names),
}))
"""


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made") / "bundle"
    script = Path(__file__).with_name("make_bundle.py")
    done = subprocess.run([sys.executable, script, folder], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(scope="module")
def expected(bundle):
    return json.loads(bundle.with_name("expected.json").read_text())


@pytest.fixture(scope="module")
def pythons(tmp_path_factory):
    """Programs of environments that have NumPy and one of the two runtimes."""
    folder = tmp_path_factory.mktemp("devices")
    return {
        name: environment_of(folder / name, "numpy", name) / "python"
        for name in ("ai-edge-litert", "onnxruntime")
    }


def run(python, *words):
    done = subprocess.run(
        [str(python), "-B", *map(str, words)],
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    ("variant", "tolerance"),
    [("float32", 1e-6), ("fixed", 1e-6), ("int8_io", 0.03), ("onnx", 1e-6)],
)
def test_it_answers_like_tensorflow_without_tensorflow(
    bundle, expected, pythons, variant, tolerance
):
    """From raw features to answers, with missing and unknown values among them."""
    python = pythons["onnxruntime" if variant == "onnx" else "ai-edge-litert"]
    said = json.loads(run(python, "-c", ASK, bundle, variant, json.dumps(expected["rows"])))
    assert said["single"] == pytest.approx(expected["answers"], abs=tolerance)
    assert said["batch"] == pytest.approx(said["single"], abs=1e-6)
    assert said["many"] == pytest.approx(said["single"] * 2500, abs=1e-6)
    assert said["none"] == []
    assert "headrace_edge" in said["modules"]
    assert not {"tensorflow", "headrace", "pydantic", "pandas"} & set(said["modules"])


def test_the_example_of_the_bundle_runs_as_it_is(bundle, expected, pythons):
    row, answer = run(pythons["ai-edge-litert"], bundle / "example.py").splitlines()
    assert row == str(expected["rows"][0])
    assert answer.startswith("{'probability': 0.")


def test_what_runs_a_variant_is_named_where_it_lacks(bundle, pythons):
    code = ASK.replace("print", "pass; print")
    done = subprocess.run(
        [str(pythons["ai-edge-litert"]), "-B", "-c", code, str(bundle), "onnx", "[{}]"],
        capture_output=True,
        text=True,
    )
    assert "model.onnx needs the package onnxruntime" in done.stderr
    assert "pip install onnxruntime" in done.stderr
