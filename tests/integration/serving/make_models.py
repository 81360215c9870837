"""Exports the models that the tests serve; run as a script: ``make_models.py <folder>``.

``half`` x/2 + 2 as float, several signatures with defaults for none; ``half_again`` the same with
+3, to be told apart from it; ``types`` echoes every type; ``examples`` classify and regress
signatures on tf.Examples; ``reference`` TF 1 with reference variables; ``table`` a lookup table
whose vocabulary is an asset; ``ragged`` sums rows of any length; ``light`` a TFLite model;
``slow`` takes as many steps as it is told; ``numbered`` answers with the number in its asset;
``broken`` an empty folder; ``broken_without_tflite`` nothing but a TFLite model with signatures as
older converters wrote them.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import tensorflow as tf

import headrace.components.shared.tensorflow_env  # noqa: F401  (before TensorFlow)

FLOAT = tf.TensorSpec([None], tf.float32)


class Half(tf.Module):  # type: ignore[misc]
    def __init__(self, offset: float) -> None:
        super().__init__()
        self.scale = tf.Variable(0.5)
        self.offset = tf.Variable(offset)

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
    def serve(self, x: Any) -> dict[str, Any]:
        return {"y": self.scale * x + self.offset}

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.float32, name="a"),
            tf.TensorSpec([None], tf.float32, name="b"),
        ]
    )
    def two(self, a: Any, b: Any) -> dict[str, Any]:
        return {"sum": a + b, "difference": a - b, "scale": tf.identity(self.scale)}


TYPES = ("float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32",
         "uint64", "bool", "string", "complex64", "complex128", "half", "bfloat16")  # fmt: skip


class Types(tf.Module):  # type: ignore[misc]
    pass


def _echo(dtype: str) -> Any:
    kind = tf.as_dtype(dtype)

    @tf.function(input_signature=[tf.TensorSpec(None, kind, name="x")])
    def echo(x: Any) -> dict[str, Any]:
        return {"y": tf.identity(x), "y_bytes": tf.identity(x)}

    return echo


class Examples(tf.Module):  # type: ignore[misc]
    """Signatures as TensorFlow Serving's own test models have them: y = x / 2 + 2, y + 1."""

    def _x(self, examples: Any) -> Any:
        parsed = tf.io.parse_example(
            examples,
            {
                "x": tf.io.FixedLenFeature([1], tf.float32),
                "b": tf.io.FixedLenFeature([1], tf.float32, 0.0),
            },
        )
        return parsed["x"] / 2 + 2 + parsed["b"]

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="inputs")])
    def regress(self, inputs: Any) -> dict[str, Any]:
        return {"outputs": self._x(inputs)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="inputs")])
    def classify(self, inputs: Any) -> dict[str, Any]:
        score = self._x(inputs)
        labels = tf.broadcast_to(tf.constant([["low", "high"]]), [tf.shape(score)[0], 2])
        return {"classes": labels, "scores": tf.concat([-score, score], axis=1)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="inputs")])
    def scores_only(self, inputs: Any) -> dict[str, Any]:
        return {"scores": self._x(inputs)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="inputs")])
    def wrong_shape(self, inputs: Any) -> dict[str, Any]:
        return {"outputs": tf.concat([self._x(inputs)] * 2, axis=1)}


class Table(tf.Module):  # type: ignore[misc]
    def __init__(self, vocabulary: Path) -> None:
        super().__init__()
        vocabulary.write_text("red\ngreen\nblue\n")
        self.asset = tf.saved_model.Asset(str(vocabulary))
        self.table = tf.lookup.StaticHashTable(
            tf.lookup.TextFileInitializer(
                self.asset.asset_path,
                tf.string,
                tf.lookup.TextFileIndex.WHOLE_LINE,
                tf.int64,
                tf.lookup.TextFileIndex.LINE_NUMBER,
            ),
            -1,
        )

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="colour")])
    def serve(self, colour: Any) -> dict[str, Any]:
        return {"index": self.table.lookup(colour)}


class Ragged(tf.Module):  # type: ignore[misc]
    @tf.function(input_signature=[tf.TensorSpec([None, None], tf.float32, name="x")])
    def serve(self, x: Any) -> dict[str, Any]:
        rows = tf.shape(x)[0]
        return {
            "sum": tf.reduce_sum(x, axis=1),
            "columns": tf.fill([rows], tf.shape(x)[1]),
            "batch": tf.fill([rows], rows),
        }


class Slow(tf.Module):  # type: ignore[misc]
    """Keeps a request under way: as many steps as the input says."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.int64, name="steps")])
    def serve(self, steps: Any) -> dict[str, Any]:
        count = tf.reduce_max(steps)
        big = tf.ones([300, 300]) / 300
        _, done = tf.while_loop(
            lambda step, state: step < count,
            lambda step, state: (step + 1, tf.matmul(state, big)),
            [tf.constant(0, tf.int64), big],
        )
        return {"done": steps + tf.cast(tf.round(done[0, 0]), tf.int64)}


class Numbered(tf.Module):  # type: ignore[misc]
    """Says which version it is, in both outputs: a copy becomes another one with its asset."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        file.write_text("1\n")
        self.asset = tf.saved_model.Asset(str(file))
        lines, first = tf.lookup.TextFileIndex.LINE_NUMBER, 0
        self.table = tf.lookup.StaticHashTable(
            tf.lookup.TextFileInitializer(
                self.asset.asset_path, tf.int64, lines, tf.int64, first, delimiter=" "
            ),
            0,
        )

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name="x")])
    def serve(self, x: Any) -> dict[str, Any]:
        number = tf.cast(self.table.lookup(tf.zeros_like(x, tf.int64)), tf.float32)
        return {"version": number, "product": number * x}


def reference(folder: Path) -> None:
    """A TF 1 model whose variable is a reference, with all three kinds of signature."""
    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [None], name="x")
        weight = v1.get_variable("weight", initializer=3.0, use_resource=False)
        y = tf.multiply(x, weight, name="y")
        session.run(v1.global_variables_initializer())
        signature = v1.saved_model.build_signature_def(
            {"x": v1.saved_model.build_tensor_info(x)},
            {"y": v1.saved_model.build_tensor_info(y)},
            "tensorflow/serving/predict",
        )
        signature.defaults["x"].CopyFrom(tf.make_tensor_proto([7.0]))
        builder = v1.saved_model.Builder(str(folder))
        builder.add_meta_graph_and_variables(
            session, ["serve"], {"serving_default": signature, "again": signature}
        )
        builder.save()


def light(folder: Path, half: Path) -> None:
    """The model ``half`` as SavedModel, and another one beside it as TFLite."""
    module = Half(10.0)
    tf.saved_model.save(module, str(folder), signatures={"serving_default": module.serve})
    converter = tf.lite.TFLiteConverter.from_saved_model(
        str(half), signature_keys=["serving_default"]
    )
    (folder / "model.tflite").write_bytes(converter.convert())


def light_legacy(folder: Path, light: Path) -> None:
    """The TFLite model with its signature where older converters left it."""
    import flatbuffers
    from tensorflow.lite.python import schema_py_generated as schema
    from tensorflow_serving.apis import get_model_metadata_pb2

    content = (light / "model.tflite").read_bytes()
    interpreter = tf.lite.Interpreter(model_content=content)
    signatures = get_model_metadata_pb2.SignatureDefMap()
    definition = signatures.signature_def["serving_default"]
    definition.inputs["old_x"].name = interpreter.get_input_details()[0]["name"]
    definition.outputs["old_y"].name = interpreter.get_output_details()[0]["name"]
    definition.inputs["old_x"].dtype = definition.outputs["old_y"].dtype = 1

    model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    buffer, metadata = schema.BufferT(), schema.MetadataT()
    buffer.data = list(signatures.SerializeToString())
    metadata.name, metadata.buffer = b"signature_defs_metadata", len(model.buffers)
    model.buffers.append(buffer)
    model.metadata = [*(model.metadata or []), metadata]
    model.signatureDefs = []
    builder = flatbuffers.Builder(len(content))
    builder.Finish(model.Pack(builder), b"TFL3")
    folder.mkdir()
    (folder / "model.tflite").write_bytes(bytes(builder.Output()))


def set_methods(folder: Path, methods: dict[str, str]) -> None:
    """Says in the signatures what they are for; Keras and tf.Module always say predict."""
    from tensorflow.core.protobuf import saved_model_pb2

    file = folder / "saved_model.pb"
    model = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    for name, method in methods.items():
        model.meta_graphs[0].signature_def[name].method_name = f"tensorflow/serving/{method}"
    file.write_bytes(model.SerializeToString())


def main(folder: Path) -> None:
    for name, offset in (("half", 2.0), ("half_again", 3.0)):
        half = Half(offset)
        tf.saved_model.save(
            half, str(folder / name), {"serving_default": half.serve, "two": half.two}
        )
    types = Types()
    echoes = {dtype: _echo(dtype) for dtype in TYPES}
    types.echoes = list(echoes.values())
    tf.saved_model.save(types, str(folder / "types"), echoes)
    examples = Examples()
    names = ("regress", "classify", "scores_only", "wrong_shape")
    signatures = {name: getattr(examples, name) for name in names}
    tf.saved_model.save(
        examples, str(folder / "examples"), {**signatures, "serving_default": examples.regress}
    )
    set_methods(
        folder / "examples",
        {"regress": "regress", "serving_default": "regress", "classify": "classify"},
    )
    table = Table(folder / "colours.txt")
    tf.saved_model.save(table, str(folder / "table"), {"serving_default": table.serve})
    (folder / "colours.txt").unlink()  # the export has a copy
    numbered = Numbered(folder / "number.txt")
    tf.saved_model.save(numbered, str(folder / "numbered"), {"serving_default": numbered.serve})
    (folder / "number.txt").unlink()
    for name, module in (("ragged", Ragged()), ("slow", Slow())):
        tf.saved_model.save(module, str(folder / name), {"serving_default": module.serve})
    reference(folder / "reference")
    light(folder / "light", folder / "half")
    light_legacy(folder / "broken_without_tflite", folder / "light")
    (folder / "broken").mkdir()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
