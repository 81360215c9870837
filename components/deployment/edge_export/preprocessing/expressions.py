"""Expressions over raw features: what a frozen graph is translated to, before it is written.

An expression is computed on two small probes when it is made, by the functions that a device uses.
Its type and shape are those of the probes' results: a dimension of both probes' numbers of rows
is the rows.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from headrace.serving.edge.runtime.operations import ELEMENTWISE, OPERATIONS

#: Numbers of rows of the probes.
PROBES = (3, 5)
ROWS = "rows"
#: A dimension that is neither fixed nor the rows.
MIXED = "mixed"


@dataclass(frozen=True, eq=False)
class Expression:
    """One step to be.

    Attributes:
        operation: A name of ``OPERATIONS``, ``columns`` or ``constant``.
        inputs: What it is computed from.
        attributes: Its attributes.
        probes: Its value for each probe; for a constant, the value, once per probe.
    """

    operation: str
    inputs: tuple[Expression, ...]
    attributes: dict[str, Any]
    probes: tuple[np.ndarray, ...] = field(repr=False)

    @property
    def constant(self) -> bool:
        """Does it depend on no feature?"""
        return self.operation == "constant"

    @property
    def value(self) -> np.ndarray:
        """The value of a constant."""
        return self.probes[0]

    @property
    def dtype(self) -> np.dtype[Any]:
        """NumPy's type; texts are objects."""
        return self.probes[0].dtype

    @property
    def shape(self) -> tuple[int | str, ...]:
        """Each dimension's size, :data:`ROWS` or :data:`MIXED`."""
        if self.constant:
            return self.value.shape
        sizes = zip(*(probe.shape for probe in self.probes), strict=True)
        return tuple(a if a == b else ROWS if (a, b) == PROBES else MIXED for a, b in sizes)


class Expressions:
    """Makes expressions, each once; what is constant is computed at once."""

    def __init__(self) -> None:
        self._made: dict[Any, Expression] = {}
        self._first: Expression | None = None

    def constant(self, value: Any) -> Expression:
        """A constant; bytes become texts."""
        array = np.asarray(value)
        if array.dtype.kind in "SUO":
            array = texts(array)
        key = ("constant", array.dtype.str, array.shape, repr(array.tolist()))
        return self._once(key, lambda: Expression("constant", (), {}, (array, array)))

    def columns(self, features: list[str], dtype: str) -> Expression:
        """Raw features side by side, of shape ``[rows, len(features)]``."""
        kind = np.dtype(object) if dtype == "string" else np.dtype(dtype)
        fill = "" if dtype == "string" else 0
        probes = tuple(np.full((rows, len(features)), fill, kind) for rows in PROBES)
        attributes = {"features": features, "dtype": dtype}
        key = ("columns", dtype, *features)
        made = self._once(key, lambda: Expression("columns", (), attributes, probes))
        self._first = self._first or made
        return made

    def filled(self, sizes: tuple[int | str, ...], value: Any, dtype: str) -> Expression:
        """One value throughout; the rows are counted on a feature."""
        assert self._first, "a feature is made before anything else"
        shape = [None if size == ROWS else size for size in sizes]
        return self.make("fill", self._first, shape=shape, value=value, dtype=dtype)

    def make(self, operation: str, /, *inputs: Expression, **attributes: Any) -> Expression:
        """An operation on other expressions, simplified where it is a mere copy."""
        if operation == "reshape" and inputs[0].operation == "reshape":
            inputs = inputs[0].inputs
        same = _copied(operation, inputs, attributes)
        if same is not None:
            return same
        key = (operation, *(id(one) for one in inputs), repr(sorted(attributes.items())))
        return self._once(key, lambda: self._compute(operation, inputs, attributes))

    def _compute(
        self, operation: str, inputs: tuple[Expression, ...], attributes: dict[str, Any]
    ) -> Expression:
        function = OPERATIONS[operation](**attributes)
        with np.errstate(all="ignore"):
            if all(one.constant for one in inputs):
                return self.constant(function(*(one.value for one in inputs)))
            per_probe = zip(*(one.probes for one in inputs), strict=True)
            probes = tuple(np.asarray(function(*values)) for values in per_probe)
        return Expression(operation, inputs, attributes, probes)

    def _once(self, key: Any, make: Callable[[], Expression]) -> Expression:
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]

    def concat(self, parts: list[Expression], axis: int) -> Expression:
        """Arrays one after the other; alike single columns are computed side by side."""
        shapes = {part.shape for part in parts}
        if axis != 1 or len(parts) < 2 or shapes != {(ROWS, 1)}:
            return self.make("concat", *parts, axis=axis) if len(parts) > 1 else parts[0]
        groups: dict[Any, list[int]] = {}
        for place, part in enumerate(parts):
            pattern = _pattern(part)
            groups.setdefault(place if pattern is None else pattern, []).append(place)
        blocks = [self._side_by_side([parts[p] for p in places]) for places in groups.values()]
        joined = self.make("concat", *blocks, axis=1) if len(blocks) > 1 else blocks[0]
        order = np.argsort(list(itertools.chain(*groups.values())))
        if np.array_equal(order, np.arange(len(order))):
            return joined
        return self.make("gather", joined, self.constant(order), axis=1)

    def _side_by_side(self, alike: list[Expression]) -> Expression:
        """Expressions of one pattern as one expression over a block of columns."""
        first = alike[0]
        if len(alike) == 1:
            return first
        if first.constant:
            values = [one.value.reshape(()) for one in alike]
            return self.constant(values[0] if len(set(map(repr, values))) == 1 else values)
        if first.operation == "columns":
            features = [one.attributes["features"][0] for one in alike]
            return self.columns(features, first.attributes["dtype"])
        inputs = zip(*(one.inputs for one in alike), strict=True)
        blocks = [self._side_by_side(list(each)) for each in inputs]
        return self.make(first.operation, *blocks, **first.attributes)


def texts(array: np.ndarray) -> np.ndarray:
    """Bytes as texts, in an array of objects."""
    result = np.empty(array.size, object)
    result[:] = [
        value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else str(value)
        for value in array.ravel().tolist()
    ]
    return result.reshape(array.shape)


def _copied(
    operation: str, inputs: tuple[Expression, ...], attributes: dict[str, Any]
) -> Expression | None:
    """The input that the operation would merely copy."""
    if operation == "cast" and inputs[0].dtype == np.dtype(attributes["dtype"]):
        return inputs[0]
    if operation == "reshape":
        wanted = tuple(ROWS if size == -1 else size for size in attributes["shape"])
        return inputs[0] if wanted == inputs[0].shape else None
    if operation == "select":
        return _unchanged(*inputs)
    return None


def _unchanged(test: Expression, value: Expression, otherwise: Expression) -> Expression | None:
    """``value``, if ``otherwise`` replaces nothing but itself, as in ``x if x != c else c``."""
    if not otherwise.constant or otherwise.value.size != 1:
        return None
    if test.operation == "not_equal" and test.inputs[0] is value:
        (compared,) = test.inputs[1].probes[:1]
        if compared.size == 1 and compared.item() == otherwise.value.item():
            return value
    if test.operation == "logical_not":
        (inner,) = test.inputs
        if inner.operation == "is_nan" and inner.inputs[0] is value:
            return value if np.isnan(otherwise.value.item()) else None
    return None


def _pattern(part: Expression) -> Any:
    """Equal for expressions that can be computed side by side; None if this cannot."""
    if part.constant:
        return ("constant", part.dtype.str) if part.value.size == 1 else None
    if part.operation == "columns":
        return ("columns", part.attributes["dtype"])
    inner = [_pattern(one) for one in part.inputs]
    if part.operation not in ELEMENTWISE or None in inner:
        return None
    return (part.operation, repr(sorted(part.attributes.items())), *inner)
