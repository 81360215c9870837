"""A bundle of a small model, and what TensorFlow answers; a script: ``make_bundle.py FOLDER``.

The model takes a number, a whole number and a text, each of which may be missing. ``int8_io`` has
int8 inputs and outputs; ``fixed`` takes one row at a time and no more.
"""

import json
import math
import shutil
import sys
from pathlib import Path

from headrace.components.deployment.edge_export import preprocessing
from headrace.components.deployment.edge_export.preprocessing import writer
from headrace.components.shared import tensorflow_env  # noqa: F401
from headrace.components.shared.signatures import MISSING_INT
from headrace.serving.edge import runtime

ROWS = [
    {"wind": 3.5, "distance": 1400, "city": "rome"},
    {"wind": None, "distance": 200, "city": "übach"},
    {"wind": -1.0, "distance": None, "city": None},
    {"wind": 0.25, "distance": 900, "city": "nowhere"},
]
TYPES = {"wind": "float32", "distance": "int64", "city": "string"}
MISSING = {"wind": math.nan, "distance": MISSING_INT, "city": ""}


def main(bundle: Path) -> None:
    """Writes the bundle, and ``expected.json`` beside it."""
    import tensorflow as tf

    module, network = _preprocessing(), _network()
    names = list(TYPES)
    given = [[MISSING[n] if row[n] is None else row[n] for row in ROWS] for n in names]
    raw = {n: tf.constant(values, TYPES[n]) for n, values in zip(names, given, strict=True)}
    features = module.preprocess(raw)
    features["city_id"] = tf.reshape(features["city_id"], [-1])
    answers = network.score(features)["probability"].numpy().tolist()

    bundle.mkdir(parents=True)
    saved = bundle.with_name("saved_model")
    tf.saved_model.save(module, str(saved))
    writer.write(saved, bundle / "preprocessing.json")
    files = _files(network, features)
    for name, content in files.items():
        (bundle / name).write_bytes(content)
    templates = Path(preprocessing.__file__).parents[1] / "templates"
    shutil.copyfile(templates / "example.txt", bundle / "example.py")
    shutil.copytree(
        Path(runtime.__file__).parent,
        bundle / "headrace_edge",
        ignore=shutil.ignore_patterns("__pycache__"),
    )
    _write_manifest(bundle, list(files))
    bundle.with_name("expected.json").write_text(json.dumps({"rows": ROWS, "answers": answers}))


def _preprocessing():
    import tensorflow as tf

    module = tf.Module()
    keys = tf.lookup.KeyValueTensorInitializer(["oslo", "rome", "übach"], [0, 1, 2])
    module.table = tf.lookup.StaticHashTable(keys, 3)

    @tf.function(input_signature=[{n: tf.TensorSpec([None], t) for n, t in TYPES.items()}])
    def preprocess(raw):
        wind, distance, city = (_dense(raw[name], MISSING[name]) for name in TYPES)
        far = tf.where(tf.equal(distance, MISSING_INT), -1.0, tf.cast(distance, tf.float32) / 1e3)
        numbers = tf.concat([tf.where(tf.math.is_nan(wind), 0.0, wind / 4.0), far], 1)
        return {"numbers": numbers, "city_id": module.table.lookup(city)}

    module.preprocess = preprocess
    return module


def _dense(values, missing):
    """Through a sparse tensor, as tf.Transform has a feature with missing values."""
    import tensorflow as tf

    column = tf.reshape(values, [-1, 1])
    present = tf.not_equal(column, missing) if missing == missing else ~tf.math.is_nan(column)
    where = tf.where(present)
    found = tf.SparseTensor(where, tf.gather_nd(column, where), tf.shape(column, tf.int64))
    return tf.sparse.to_dense(found, missing)


def _network():
    import tensorflow as tf

    module = tf.Module()
    generator = tf.random.Generator.from_seed(4)
    module.cities = tf.Variable(generator.normal([4, 2]))
    module.hidden = tf.Variable(generator.normal([4, 16]))
    module.out = tf.Variable(generator.normal([16, 1]))
    inputs = {
        "numbers": tf.TensorSpec([None, 2], tf.float32, name="numbers"),
        "city_id": tf.TensorSpec([None], tf.int32, name="city_id"),
    }

    @tf.function(input_signature=[inputs])
    def score(features):
        embedded = tf.gather(module.cities, features["city_id"])
        hidden = tf.nn.relu(tf.concat([features["numbers"], embedded], 1) @ module.hidden)
        return {"probability": tf.reshape(tf.sigmoid(hidden @ module.out), [-1])}

    module.score = score
    return module


def _files(module, features):
    import tensorflow as tf
    import tf2onnx

    def converter(function):
        return tf.lite.TFLiteConverter.from_concrete_functions([function], module)

    float32 = converter(module.score.get_concrete_function()).convert()
    one = {
        "numbers": tf.TensorSpec([1, 2], tf.float32, name="numbers"),
        "city_id": tf.TensorSpec([1], tf.int32, name="city_id"),
    }
    fixed = converter(tf.function(module.score).get_concrete_function(one)).convert()
    integers = converter(module.score.get_concrete_function())
    integers.optimizations = [tf.lite.Optimize.DEFAULT]
    integers.inference_input_type = integers.inference_output_type = tf.int8
    integers.representative_dataset = lambda: (
        {name: values[i : i + 1] for name, values in features.items()} for i in range(len(ROWS))
    )
    scratch = Path(sys.argv[1]).with_name("float32.tflite")
    scratch.write_bytes(float32)
    onnx, _ = tf2onnx.convert.from_tflite(str(scratch), opset=17)
    return {
        "float32.tflite": float32,
        "fixed.tflite": fixed,
        "int8_io.tflite": integers.convert(),
        "model.onnx": onnx.SerializeToString(),
    }


def _write_manifest(bundle: Path, files: list[str]) -> None:
    variants = {}
    for file in files:
        inputs, outputs = _tensors(bundle / ("float32.tflite" if "onnx" in file else file))
        name = Path(file).stem.replace("model", "onnx")
        variants[name] = {"file": file, "inputs": inputs, "outputs": outputs}
    manifest = {
        "format": 1,
        "raw_inputs": TYPES,
        "outputs": ["probability"],
        "variants": variants,
        "self_test": {"rows": ROWS},
        "default": "float32",
    }
    (bundle / "manifest.json").write_text(json.dumps(manifest))


def _tensors(path: Path):
    import numpy as np
    from ai_edge_litert.interpreter import Interpreter

    def read(details):
        scale, zero = details["quantization"]
        plain = "city_id" if "city_id" in details["name"] else "numbers"
        return {
            "name": plain,
            "shape": details["shape_signature"].tolist(),
            "dtype": np.dtype(details["dtype"]).name,
            "scale": scale or None,
            "zero_point": zero if scale else None,
        }

    interpreter = Interpreter(str(path))
    inputs = [read(one) for one in interpreter.get_input_details()]
    return inputs, [read(one) for one in interpreter.get_output_details()]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
