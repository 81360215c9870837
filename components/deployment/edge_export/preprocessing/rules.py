"""TensorFlow operations as expressions: one rule per operation that devices can compute.

A rule takes the expressions under construction, the ``tf.Operation`` and the values of its inputs.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from headrace.components.deployment.edge_export.preprocessing.expressions import (
    MIXED,
    ROWS,
    Expression,
    Expressions,
)
from headrace.components.deployment.edge_export.preprocessing.values import (
    Dimensions,
    NotTranslatable,
    Present,
    Table,
    Value,
    axis_of,
    dense,
    fixed,
)

Rule = Callable[[Expressions, Any, list[Value]], Value]

#: TensorFlow operation to the device's operation of the same meaning.
ELEMENTWISE = {
    "Abs": "abs",
    "Add": "add",
    "AddV2": "add",
    "Ceil": "ceil",
    "Cos": "cos",
    "DivNoNan": "divide_no_nan",
    "Equal": "equal",
    "Exp": "exp",
    "Expm1": "expm1",
    "Floor": "floor",
    "FloorDiv": "floor_divide",
    "FloorMod": "floor_mod",
    "Greater": "greater",
    "GreaterEqual": "greater_equal",
    "Inv": "reciprocal",
    "IsFinite": "is_finite",
    "IsInf": "is_inf",
    "IsNan": "is_nan",
    "Less": "less",
    "LessEqual": "less_equal",
    "Log": "log",
    "Log1p": "log1p",
    "LogicalAnd": "logical_and",
    "LogicalNot": "logical_not",
    "LogicalOr": "logical_or",
    "Maximum": "maximum",
    "Minimum": "minimum",
    "Mul": "multiply",
    "Neg": "negative",
    "NotEqual": "not_equal",
    "Pow": "power",
    "RealDiv": "divide",
    "Reciprocal": "reciprocal",
    "Rint": "round",
    "Round": "round",
    "Rsqrt": "rsqrt",
    "SelectV2": "select",
    "Sigmoid": "sigmoid",
    "Sign": "sign",
    "Sin": "sin",
    "Sqrt": "sqrt",
    "Square": "square",
    "StringStrip": "strip_text",
    "Sub": "subtract",
    "Tanh": "tanh",
}
#: Operations that hand on their (first) input.
COPIES = frozenset({"EnsureShape", "Identity", "PlaceholderWithDefault", "StopGradient"})
REDUCTIONS = {
    "All": "all",
    "Any": "any",
    "Max": "max",
    "Mean": "mean",
    "Min": "min",
    "Prod": "prod",
    "Sum": "sum",
}


def elementwise(
    make: Expressions, name: str, values: list[Value], /, **attributes: Any
) -> Expression | Present:
    """An operation value by value, on dense tensors or on the values of one sparse tensor."""
    masks = {id(value.mask): value.mask for value in values if isinstance(value, Present)}
    if not masks:
        return make.make(name, *map(dense, values), **attributes)
    parts = [value.dense if isinstance(value, Present) else dense(value) for value in values]
    alone = [part for part, value in zip(parts, values, strict=True) if part is value]
    if len(masks) > 1 or any(part.shape not in {(), (1,)} for part in alone):
        raise NotTranslatable("it mixes the values of a sparse tensor with others")
    (mask,) = masks.values()
    return Present(make.make(name, *parts, **attributes), mask)


def cast(make: Expressions, operation: Any, values: list[Value]) -> Value:
    """``Cast``: also of a shape."""
    if isinstance(values[0], Dimensions):
        return values[0]
    return elementwise(make, "cast", values[:1], dtype=dtype_name(operation.get_attr("DstT")))


def like(value: int) -> Rule:
    """``ZerosLike`` and ``OnesLike``."""

    def rule(make: Expressions, operation: Any, values: list[Value]) -> Value:
        dtype = dtype_name(operation.get_attr("T"))
        filler: Any = "" if dtype == "string" else value
        return elementwise(make, "full_like", values, value=filler, dtype=dtype)

    return rule


def text(name: str) -> Rule:
    """``StringLower`` and ``StringUpper``, of ASCII letters."""

    def rule(make: Expressions, operation: Any, values: list[Value]) -> Value:
        if operation.get_attr("encoding"):
            raise NotTranslatable("it changes letters beyond ASCII")
        return elementwise(make, name, values)

    return rule


def join_texts(make: Expressions, operation: Any, values: list[Value]) -> Value:
    """``StringJoin``."""
    separator = operation.get_attr("separator").decode()
    return elementwise(make, "join_texts", values, separator=separator)


def hash_bucket(make: Expressions, operation: Any, values: list[Value]) -> Value:
    """``StringToHashBucketFast``; with one bucket there is nothing to hash."""
    buckets = operation.get_attr("num_buckets")
    if buckets == 1:
        return elementwise(make, "full_like", values, value=0, dtype="int64")
    return elementwise(make, "hash_bucket", values, buckets=buckets)


def bucketize(make: Expressions, operation: Any, values: list[Value]) -> Value:
    """``Bucketize``."""
    return elementwise(make, "bucketize", values, boundaries=operation.get_attr("boundaries"))


def lookup(make: Expressions, operation: Any, values: list[Value]) -> Value:
    """``LookupTableFindV2``, with the table written out."""
    import tensorflow as tf

    table, keys, default = values
    if not isinstance(table, Table):
        raise NotTranslatable("its table is made while it runs")
    kinds = operation.get_attr("Tin"), operation.get_attr("Tout")
    found = tf.raw_ops.LookupTableExportV2(
        table_handle=table.handle, Tkeys=kinds[0], Tvalues=kinds[1]
    )
    entries = [make.constant(side.numpy()).value.ravel().tolist() for side in found]
    pairs = sorted(zip(*entries, strict=True), key=lambda pair: (pair[1], pair[0]))
    return elementwise(
        make,
        "lookup",
        [keys],
        keys=[key for key, _ in pairs],
        values=[value for _, value in pairs],
        default=fixed(default)[0],
        dtype=dtype_name(kinds[1]),
    )


def select(make: Expressions, operation: Any, values: list[Value]) -> Value:
    """``Select``, the older one: its test has the shape of what it chooses from."""
    shapes = {dense(value).shape for value in values}
    if len(shapes) > 1:
        raise NotTranslatable("its test has another shape than its values")
    return elementwise(make, "select", values)


def clip(make: Expressions, operation: Any, values: list[Value]) -> Value:
    """``ClipByValue``."""
    value, low, high = values
    return elementwise(make, "maximum", [elementwise(make, "minimum", [value, high]), low])


def add_all(make: Expressions, operation: Any, values: list[Value]) -> Value:
    """``AddN``."""
    total = values[0]
    for value in values[1:]:
        total = elementwise(make, "add", [total, value])
    return total


def relu(make: Expressions, operation: Any, values: list[Value]) -> Value:
    """``Relu``."""
    zero = make.constant(np.zeros((), dense(values[0]).dtype))
    return make.make("maximum", dense(values[0]), zero)


def squared_difference(make: Expressions, operation: Any, values: list[Value]) -> Value:
    """``SquaredDifference``."""
    return elementwise(make, "square", [elementwise(make, "subtract", values)])


def shape_of(make: Expressions, operation: Any, values: list[Value]) -> Value:
    """``Shape``."""
    sizes = dense(values[0]).shape
    if MIXED in sizes:
        raise NotTranslatable("it asks for a size that is a multiple of the rows")
    return from_sizes(make, sizes)


def from_sizes(make: Expressions, sizes: tuple[int | str, ...], scalar: bool = False) -> Value:
    """Sizes as a value: a constant where no rows are in it."""
    if ROWS in sizes:
        return Dimensions(sizes, scalar)
    numbers = np.asarray(sizes, np.int64)
    return make.constant(numbers[0] if scalar else numbers)


def dtype_name(dtype: Any) -> str:
    """The device's name of a TensorFlow type.

    Raises:
        NotTranslatable: devices do not have it.
    """
    import tensorflow as tf

    name: str = tf.as_dtype(dtype).name
    if name not in {"bool", "float32", "float64", "int32", "int64", "string"}:
        raise NotTranslatable(f"it has values of type {name}")
    return name


def reduction(name: str) -> Rule:
    """A sum, mean, … over dimensions that are not the rows."""

    def rule(make: Expressions, operation: Any, values: list[Value]) -> Value:
        data = dense(values[0])
        axes = sorted(axis_of(axis, data.shape) for axis in fixed(values[1]))
        keepdims = operation.get_attr("keep_dims")
        return make.make("reduce", data, how=name, axes=axes, keepdims=keepdims)

    return rule


#: Operation to its rule; more are in ``shapes.py`` and ``sparse.py``.
RULES: dict[str, Rule] = {
    "AddN": add_all,
    "Bucketize": bucketize,
    "Cast": cast,
    "ClipByValue": clip,
    "LookupTableFindV2": lookup,
    "OnesLike": like(1),
    "Relu": relu,
    "Select": select,
    "Shape": shape_of,
    "SquaredDifference": squared_difference,
    "StringJoin": join_texts,
    "StringLower": text("lower_text"),
    "StringToHashBucketFast": hash_bucket,
    "StringUpper": text("upper_text"),
    "ZerosLike": like(0),
    **{name: reduction(how) for name, how in REDUCTIONS.items()},
}
