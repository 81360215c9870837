"""One variant of the model as the bytes of its file."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from headrace.components.deployment.edge_export.source import Graph, converter
from headrace.components.shared.config.edge import Variant
from headrace.serving.edge.bundle import Tensor

#: Opset of ONNX files: what ONNX Runtime has understood since 1.13.
OPSET = 17
_SIGNATURE = "serving_default"
#: Multiplications by a matrix of weights: what integers make small and fast.
_MATRICES = ("FULLY_CONNECTED", "CONV_2D", "DEPTHWISE_CONV_2D", "BATCH_MATMUL", "TRANSPOSE_CONV")
#: An operation with constants of fewer bytes gains nothing from integers.
_FEW_BYTES = 256
_FEED_ROWS = 500
#: How much further than the representative rows the ranges of int8 reach.
_MARGIN = 1.5

Tensors = Mapping[str, np.ndarray]


def convert(graph: Graph, variant: Variant, representative: Tensors, output: str) -> bytes:
    """Converts the graph.

    Args:
        graph: From ``source.choose``.
        variant: Which form; of `int8_aware` and `pruned`, the graph is fine-tuned already.
        representative: What the graph takes, from the training split; sets the ranges of int8.
        output: Name of what the model answers.
    """
    import tensorflow as tf

    if variant == "float32":
        return graph.float32
    if variant == "onnx":
        return _onnx(graph.float32, output)
    made = converter(graph.flat)
    if variant in ("int8", "int8_aware"):
        return _int8(made, representative)
    sparse = variant == "pruned"
    made.optimizations = [
        tf.lite.Optimize.EXPERIMENTAL_SPARSITY if sparse else tf.lite.Optimize.DEFAULT
    ]
    if variant == "float16":
        made.target_spec.supported_types = [tf.float16]
    return made.convert()  # type: ignore[no-any-return]


def _int8(made: Any, representative: Tensors) -> bytes:
    """Integers between the first and the last matrix of weights, floats outside.

    Element-wise operations before the first matrix spread few values over a wide range: a ramp
    ``clip(8 x - i, 0, 1)`` needs 256 steps between 0 and 1, and has 11 when its argument, from -15
    to 8, is stored in 8 bits. After the last one a step of the logit is one of the answer. Such
    operations have hardly any weights, so that floats cost them no bytes.

    Beyond the ranges that were seen, integers saturate: one row with a number larger than those of
    the representative rows gets a wrong answer while all others are right. Hence the margin.
    """
    import tensorflow as tf

    wide = stretched(representative)

    def feeds() -> Iterator[tuple[str, dict[str, np.ndarray]]]:
        rows = len(next(iter(wide.values())))
        size = min(rows, _FEED_ROWS)
        # All of one size: the calibrator does not resize its tensors again.
        for start in range(0, rows - size + 1, size):
            part = slice(start, start + size)
            yield _SIGNATURE, {name: values[part] for name, values in wide.items()}

    made.optimizations = [tf.lite.Optimize.DEFAULT]
    made.representative_dataset = feeds
    debugger = tf.lite.experimental.QuantizationDebugger(converter=made, debug_dataset=feeds)
    debugger.options = tf.lite.experimental.QuantizationDebugOptions(
        denylisted_nodes=_outside_of_matrices(debugger.calibrated_model)
    )
    return debugger.get_nondebug_quantized_model()  # type: ignore[no-any-return]


def stretched(rows: Tensors) -> Tensors:
    """The rows, and the rows again with numbers further from their mean; ids stay as they are."""
    return {name: np.concatenate([values, _further(values)]) for name, values in rows.items()}


def _further(values: np.ndarray) -> np.ndarray:
    if not np.issubdtype(values.dtype, np.floating):
        return values
    mean = values.mean(axis=0)
    return np.asarray(mean + _MARGIN * (values - mean), values.dtype)


def _outside_of_matrices(model: bytes) -> list[str]:
    """Operations with few constants before the first or after the last matrix, by their results."""
    from ai_edge_litert import schema_py_generated as schema

    read = schema.ModelT.InitFromPackedBuf(model, 0)
    (graph,) = read.subgraphs
    matrices = {getattr(schema.BuiltinOperator, name) for name in _MATRICES}

    def code(operator: Any) -> int:
        found = read.operatorCodes[operator.opcodeIndex]
        return int(max(found.builtinCode, found.deprecatedBuiltinCode))

    def constants(operator: Any) -> int:
        held = (read.buffers[graph.tensors[i].buffer].data for i in operator.inputs if i >= 0)
        return sum(len(data) for data in held if data is not None)

    places = [i for i, one in enumerate(graph.operators) if code(one) in matrices]
    if not places:
        return []
    outside = [*graph.operators[: places[0]], *graph.operators[places[-1] + 1 :]]
    return [
        graph.tensors[result].name.decode()
        for one in outside
        if constants(one) <= _FEW_BYTES
        for result in one.outputs
    ]


def _onnx(float32: bytes, output: str) -> bytes:
    """The TensorFlow Lite file as ONNX, with plain names.

    From this file and not from TensorFlow's graph: its constants are in place, and its operations
    are few.
    """
    import tf2onnx

    with tempfile.TemporaryDirectory(prefix="headrace-onnx-") as scratch:
        path = Path(scratch) / "float32.tflite"
        path.write_bytes(float32)
        proto, _ = tf2onnx.convert.from_tflite(str(path), opset=OPSET)
    names = {item.name: _plain_name(item.name) for item in proto.graph.input}
    (answer,) = proto.graph.output
    names[answer.name] = output
    for item in (*proto.graph.input, answer):
        item.name = names[item.name]
    for node in proto.graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
    return proto.SerializeToString()  # type: ignore[no-any-return]


def _plain_name(tensor: str) -> str:
    """``serving_default_carrier:0`` as ``carrier``."""
    return tensor.removeprefix(f"{_SIGNATURE}_").rpartition(":")[0] or tensor


def tensors(path: Path, output: str) -> tuple[list[Tensor], list[Tensor]]:
    """What a file takes and gives, in its own order, by the names that the model has for it."""
    if path.suffix == ".onnx":
        return _onnx_tensors(path)
    from ai_edge_litert.interpreter import Interpreter

    read = Interpreter(str(path))
    inputs = [_tensor(_plain_name(one["name"]), one) for one in read.get_input_details()]
    return inputs, [_tensor(output, one) for one in read.get_output_details()]


def _tensor(name: str, details: Mapping[str, Any]) -> Tensor:
    scale, zero_point = details["quantization"]
    return Tensor(
        name=name,
        shape=[int(size) for size in details["shape_signature"]],
        dtype=_dtype(details["dtype"]),
        scale=float(scale) if scale else None,
        zero_point=int(zero_point) if scale else None,
    )


def _dtype(kind: Any) -> str:
    return "string" if np.issubdtype(kind, np.character) else np.dtype(kind).name


def _onnx_tensors(path: Path) -> tuple[list[Tensor], list[Tensor]]:
    import onnx

    def read(values: Any) -> list[Tensor]:
        kinds = ((one.name, one.type.tensor_type) for one in values)
        return [
            Tensor(
                name=name,
                shape=[size.dim_value or -1 for size in kind.shape.dim],
                dtype=_dtype(onnx.helper.tensor_dtype_to_np_dtype(kind.elem_type)),
            )
            for name, kind in kinds
        ]

    graph = onnx.load(path).graph
    return read(graph.input), read(graph.output)
