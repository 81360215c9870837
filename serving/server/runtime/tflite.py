"""A TensorFlow Lite model behind the same interface as a SavedModel.

An interpreter serves one call at a time, so a pool of them is kept.
"""

from __future__ import annotations

import queue
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow.lite.python import schema_py_generated as schema
from tensorflow_serving.apis import get_model_metadata_pb2

from headrace.serving.server.errors import Code, ServingError
from headrace.serving.server.runtime import signatures
from headrace.serving.server.runtime.session import Runner
from headrace.serving.server.seam import Array, Signature

FILE = "model.tflite"
_METHOD = "tensorflow/serving/predict"
# Where older converters left the signatures.
_LEGACY_SIGNATURES = b"signature_defs_metadata"


class TfliteModel:
    """One loaded ``model.tflite``.

    Args:
        path: Folder that holds it.
        interpreters: How many calls may run side by side.

    Raises:
        ServingError: INVALID_ARGUMENT, it is no TFLite model.
    """

    def __init__(self, path: str, interpreters: int) -> None:
        with tf.io.gfile.GFile(f"{path}/{FILE}", "rb") as file:
            content = file.read()
        self._pool: queue.SimpleQueue[Any] = queue.SimpleQueue()
        try:
            made = [_interpreter(content) for _ in range(interpreters)]
        except (ValueError, RuntimeError) as error:
            raise ServingError(Code.INVALID_ARGUMENT, f"{path}/{FILE}: {error}") from None
        for interpreter in made:
            self._pool.put(interpreter)
        self._inputs = {one["name"]: one for one in made[0].get_input_details()}
        self._outputs = {one["name"]: one["index"] for one in made[0].get_output_details()}
        self.signature_def_map = _legacy_signatures(content) or _signatures(made[0])
        self.signatures: Mapping[str, Signature] = {
            name: signatures.from_proto(definition)
            for name, definition in sorted(self.signature_def_map.signature_def.items())
        }

    def runner(self, feeds: tuple[str, ...], fetches: tuple[str, ...]) -> Runner:
        """See ``servable.Model.runner``."""
        inputs = [self._inputs[name] for name in feeds]
        outputs = [self._outputs[name] for name in fetches]

        def run(values: Sequence[Array]) -> list[Array]:
            interpreter = self._pool.get()
            try:
                return _call(interpreter, inputs, values, outputs)
            except (ValueError, RuntimeError) as error:
                raise ServingError(Code.INVALID_ARGUMENT, str(error)) from None
            finally:
                self._pool.put(interpreter)

        return run

    def close(self) -> None:
        """Frees the interpreters."""
        self._pool = queue.SimpleQueue()


def _interpreter(content: bytes) -> Any:
    with warnings.catch_warnings():
        # TensorFlow points to a package that is not among the dependencies.
        warnings.simplefilter("ignore", UserWarning)
        interpreter = tf.lite.Interpreter(model_content=content, num_threads=1)
    interpreter.allocate_tensors()
    return interpreter


def _call(
    interpreter: Any, inputs: Sequence[Any], values: Sequence[Array], outputs: Sequence[int]
) -> list[Array]:
    resized = False
    for details, value in zip(inputs, values, strict=True):
        current = interpreter.get_input_details()
        shape = next(one["shape"] for one in current if one["index"] == details["index"])
        if tuple(shape) != value.shape:
            interpreter.resize_tensor_input(details["index"], value.shape)
            resized = True
    if resized:
        interpreter.allocate_tensors()
    for details, value in zip(inputs, values, strict=True):
        interpreter.set_tensor(details["index"], value)
    interpreter.invoke()
    return [np.array(interpreter.get_tensor(index)) for index in outputs]


def _legacy_signatures(content: bytes) -> Any:
    """``SignatureDefMap`` out of the model's metadata, or None."""
    model = schema.Model.GetRootAs(content, 0)
    for place in range(model.MetadataLength()):
        metadata = model.Metadata(place)
        if metadata.Name() == _LEGACY_SIGNATURES:
            data = model.Buffers(metadata.Buffer()).DataAsNumpy().tobytes()
            return get_model_metadata_pb2.SignatureDefMap.FromString(data)
    return None


def _signatures(interpreter: Any) -> Any:
    found = get_model_metadata_pb2.SignatureDefMap()
    inputs = interpreter.get_input_details()
    outputs = interpreter.get_output_details()
    for name in interpreter.get_signature_list():
        runner = interpreter.get_signature_runner(name)
        definition = found.signature_def[name]
        definition.method_name = _METHOD
        _fill(definition.inputs, runner.get_input_details())
        _fill(definition.outputs, runner.get_output_details())
    if not found.signature_def:
        definition = found.signature_def[signatures.DEFAULT_SIGNATURE]
        definition.method_name = _METHOD
        _fill(definition.inputs, {one["name"]: one for one in inputs})
        _fill(definition.outputs, {one["name"]: one for one in outputs})
    return found


def _fill(infos: Any, details: dict[str, Any]) -> None:
    for alias, one in details.items():
        info: meta_graph_pb2.TensorInfo = infos[alias]
        info.name = one["name"]
        info.dtype = tf.as_dtype(one["dtype"]).as_datatype_enum
        for size in one["shape_signature"]:
            info.tensor_shape.dim.add().size = int(size)
