"""The model as one flat list of operations, with its weights as constants among them.

A SavedModel nests functions in functions, and each conversion would write all of them again. Flat,
it is converted in half the time, and its weights can be exchanged without the project's code.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from headrace.components.shared import tensorflow_env  # noqa: F401

#: Multiply by a matrix of weights, their second input; its last dimension are the channels.
_MULTIPLY = ("MatMul", "BatchMatMulV2", "Conv2D")
#: Numbers of rows whose shapes tell which dimension are the rows.
_FEW, _MANY = 7, 11


@dataclass(frozen=True)
class Flat:
    """A function of named tensors.

    Attributes:
        definition: ``GraphDef``.
        inputs: Name to ``tf.TensorSpec``.
        places: Name to the tensor of ``definition`` that stands for it.
        output: Name of the answer.
        answer: The tensor of ``definition`` that holds it.
    """

    definition: Any
    inputs: Mapping[str, Any]
    places: Mapping[str, str]
    output: str
    answer: str

    def __call__(self, features: Mapping[str, Any], constants: Mapping[str, Any]) -> Any:
        """Adds the operations to the function that TensorFlow traces.

        Args:
            features: Tensors by name of the input.
            constants: Tensors to take in place of constants of that name.
        """
        return self.tensors(features, [self.answer], constants)[0]

    def tensors(
        self, features: Mapping[str, Any], wanted: list[str], constants: Mapping[str, Any]
    ) -> list[Any]:
        """The same, for any tensors of the definition."""
        import tensorflow as tf

        given = {self.places[name]: value for name, value in features.items()}
        given |= {f"{name}:0": value for name, value in constants.items()}
        found: list[Any] = tf.import_graph_def(
            self.definition, input_map=given, return_elements=wanted, name=""
        )
        return found

    def function(self) -> tuple[Any, Any]:
        """A concrete function, and the module that holds it."""
        import tensorflow as tf

        holder = tf.Module()
        # The names of the file's inputs; loaded signatures have them in small letters.
        specs = {
            name: tf.TensorSpec(one.shape, one.dtype, name) for name, one in self.inputs.items()
        }

        @tf.function(input_signature=[specs])  # type: ignore[untyped-decorator]
        def call(features: Mapping[str, Any]) -> Any:
            return {self.output: self(features, {})}

        holder.call = call
        return call.get_concrete_function(), holder

    def multiplications(self) -> list[Any]:
        """Nodes that multiply by a matrix of weights, which is their second input."""
        constants = {node.name for node in self.definition.node if node.op == "Const"}
        return [
            node
            for node in self.definition.node
            if node.op in _MULTIPLY and node.input[1] in constants
        ]

    def matrices(self) -> dict[str, np.ndarray]:
        """Name of each constant that is multiplied by, to its value."""
        import tensorflow as tf

        names = {node.input[1] for node in self.multiplications()}
        return {
            node.name: tf.make_ndarray(node.attr["value"].tensor)
            for node in self.definition.node
            if node.name in names
        }

    def exchanged(self, values: Mapping[str, np.ndarray]) -> Flat:
        """The same operations with other constants."""
        import tensorflow as tf

        definition = _copy(self.definition)
        for node in definition.node:
            if node.name in values:
                node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(values[node.name]))
        return dataclasses.replace(self, definition=definition)

    def quantised(self, ranges: Mapping[str, tuple[float, float]]) -> Flat:
        """The same, with the given inputs of multiplications rounded to 256 steps.

        Args:
            ranges: Name of a node to the least and largest number that its 8 bits hold.
        """
        changed = dataclasses.replace(self, definition=_copy(self.definition))
        for node in changed.multiplications():
            steps = changed.definition.node.add()
            steps.op, steps.name = "FakeQuantWithMinMaxArgs", f"{node.name}/steps"
            steps.input.append(node.input[0])
            steps.attr["min"].f, steps.attr["max"].f = ranges[node.input[0]]
            node.input[0] = steps.name
        return changed


def looks_up(function: Any) -> bool:
    """Whether a function uses tables, which neither become constants nor have a device's kernel."""
    import tensorflow as tf

    resources = [one for one in function.captured_inputs if one.dtype == tf.resource]
    return len(resources) > len(function.variables)


def flatten(function: Any) -> Flat:
    """Puts a function's operations side by side.

    Args:
        function: Signature of a SavedModel that is loaded; it has one output.
    """
    from tensorflow.python.framework.convert_to_constants import (
        convert_variables_to_constants_v2_as_graph,
    )

    frozen, definition = convert_variables_to_constants_v2_as_graph(
        function, lower_control_flow=False
    )
    inputs = function.structured_input_signature[1]
    ((output, _),) = function.structured_outputs.items()
    flat = Flat(
        definition=definition,
        inputs=dict(inputs),
        # Arguments by name come in the order of their names.
        places=dict(zip(sorted(inputs), (one.name for one in frozen.inputs), strict=True)),
        output=output,
        answer=frozen.outputs[0].name,
    )
    _read_directly(definition)
    _fix_shapes(flat)
    return flat


def _copy(definition: Any) -> Any:
    copied = type(definition)()
    copied.CopyFrom(definition)
    return copied


def _read_directly(definition: Any) -> None:
    """Lets multiplications read their constants without detours."""
    nodes = {node.name: node for node in definition.node}
    for node in definition.node:
        if node.op in _MULTIPLY:
            while nodes[node.input[1].partition(":")[0]].op == "Identity":
                node.input[1] = nodes[node.input[1].partition(":")[0]].input[0]


def _fix_shapes(flat: Flat) -> None:
    """Writes new shapes as constants, with -1 for the rows.

    Keras computes them from the number of rows in up to ten operations, for each of which a device
    has to wait until it knows its memory.
    """
    import tensorflow as tf

    few, many = _shapes(flat, _FEW), _shapes(flat, _MANY)
    for node, shape in _constant_shapes(flat.definition, few, many):
        fixed = flat.definition.node.add()
        fixed.op, fixed.name = "Const", f"{node.name}/fixed"
        fixed.attr["dtype"].type = node.attr["Tshape"].type = tf.int32.as_datatype_enum
        fixed.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(shape, tf.int32))
        node.input[1] = fixed.name


def _constant_shapes(
    definition: Any, few: Mapping[str, Any], many: Mapping[str, Any]
) -> Iterator[tuple[Any, list[int]]]:
    """Nodes ``Reshape`` in whose results at most one dimension depends on the rows."""
    for node in [one for one in definition.node if one.op == "Reshape"]:
        first, second = few[node.name], many[node.name]
        known = first.is_fully_defined() and second.is_fully_defined()
        if known and first.rank == second.rank:
            shape = [a if a == b else -1 for a, b in zip(first, second, strict=True)]
            if shape.count(-1) <= 1:
                yield node, shape


def _shapes(flat: Flat, rows: int) -> dict[str, Any]:
    """Node ``Reshape`` to the shape of its result, when there are so many rows."""
    import tensorflow as tf

    with tf.Graph().as_default() as graph:
        features = {
            name: tf.compat.v1.placeholder(spec.dtype, [rows, *spec.shape[1:]])
            for name, spec in flat.inputs.items()
        }
        flat(features, {})
        return {
            node.name: graph.get_tensor_by_name(f"{node.name}:0").shape
            for node in flat.definition.node
            if node.op == "Reshape"
        }
