"""A frozen graph as expressions, tensor by tensor."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from headrace.components.deployment.edge_export.preprocessing import rules, shapes, sparse
from headrace.components.deployment.edge_export.preprocessing.expressions import (
    Expression,
    Expressions,
)
from headrace.components.deployment.edge_export.preprocessing.graph import FrozenGraph
from headrace.components.deployment.edge_export.preprocessing.values import (
    NotTranslatable,
    Places,
    Table,
    Value,
)
from headrace.components.shared.errors import ProjectCodeError

RULES = {**rules.RULES, **shapes.RULES, **sparse.RULES}


class Translation:
    """The expressions of a graph's outputs.

    Attributes:
        inputs: Raw feature to its type.
        optional: Raw features that may be missing.
        outputs: Transformed feature to its expression.

    Args:
        graph: What to translate.

    Raises:
        ProjectCodeError: an operation has no counterpart on a device.
    """

    def __init__(self, graph: FrozenGraph) -> None:
        self._make = Expressions()
        self._graph = graph
        self._values: dict[str, Value] = {
            name: Table(handle) for name, handle in graph.tables.items()
        }
        self._names = {tensor.name: name for name, tensor in graph.features.items()}
        self.inputs: dict[str, str] = {}
        for name, tensor in graph.features.items():
            self.inputs[name] = rules.dtype_name(tensor.dtype)
            column = self._make.columns([name], self.inputs[name])
            self._values[tensor.name] = self._make.make("reshape", column, shape=[-1])
        self.optional: set[str] = set()
        self.outputs = {name: self._output(name, one) for name, one in graph.outputs.items()}

    def _output(self, name: str, output: Any) -> Expression:
        needed = self._needed(output)
        for operation in self._graph.operations:
            if operation.name in needed:
                self._translate(operation, name)
        value = self._values[output.name]
        if not isinstance(value, Expression):
            raise _refused(output.op, name, self._sources(output), "it is no dense tensor")
        return value

    def _translate(self, operation: Any, output: str) -> None:
        try:
            values = [self._value(tensor) for tensor in operation.inputs]
            result = self._apply(operation, values)
        except NotTranslatable as reason:
            raise _refused(
                operation, output, self._sources(operation.outputs[0]), str(reason)
            ) from None
        if isinstance(result, Places):
            self.optional |= set(_features(result.mask))
        self._values[operation.outputs[0].name] = result

    def _apply(self, operation: Any, values: list[Value]) -> Value:
        kind = operation.type
        if kind in rules.COPIES:
            return values[0]
        if kind in rules.ELEMENTWISE:
            return rules.elementwise(self._make, rules.ELEMENTWISE[kind], values)
        if kind not in RULES:
            raise NotTranslatable("devices do not have it")
        return RULES[kind](self._make, operation, values)

    def _value(self, tensor: Any) -> Value:
        if tensor.name not in self._values:
            self._values[tensor.name] = self._make.constant(self._graph.constants[tensor.name])
        return self._values[tensor.name]

    def _needed(self, output: Any) -> set[str]:
        """Names of the operations that ``output`` needs and that are not translated yet."""
        return {
            tensor.op.name for tensor in self._upstream(output) if tensor.name not in self._values
        }

    def _upstream(self, output: Any) -> Iterator[Any]:
        """``output`` and every tensor that it depends on, constants apart."""
        waiting, seen = [output], set()
        while waiting:
            tensor = waiting.pop()
            if tensor.name in seen or tensor.name in self._graph.constants:
                continue
            seen.add(tensor.name)
            yield tensor
            waiting += tensor.op.inputs

    def _sources(self, output: Any) -> list[str]:
        upstream = {tensor.name for tensor in self._upstream(output)}
        return sorted(name for tensor, name in self._names.items() if tensor in upstream)


def _features(expression: Expression) -> Iterator[str]:
    yield from expression.attributes.get("features", [])
    for one in expression.inputs:
        yield from _features(one)


def _refused(operation: Any, output: str, features: list[str], reason: str) -> ProjectCodeError:
    shown = ", ".join(features[:5]) + (", …" if len(features) > 5 else "")
    return ProjectCodeError(
        f"preprocessing.py: {operation.type} cannot run on a device: {reason}. It is node "
        f"{operation.name} and feeds the transformed feature {output!r}, from {shown}.",
        fix="Write this feature with operations that devices have (docs/how-to/edge.md lists "
        "them), or leave the export to devices out.",
    )
