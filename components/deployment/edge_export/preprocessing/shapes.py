"""Rules for the operations that move values around: reshaping, joining, slicing, gathering."""

from __future__ import annotations

from typing import Any

import numpy as np

from headrace.components.deployment.edge_export.preprocessing.expressions import (
    PROBES,
    ROWS,
    Expression,
    Expressions,
)
from headrace.components.deployment.edge_export.preprocessing.rules import (
    Rule,
    dtype_name,
    from_sizes,
)
from headrace.components.deployment.edge_export.preprocessing.values import (
    Dimensions,
    NotTranslatable,
    Value,
    axis_of,
    dense,
    dimensions,
    fixed,
)


def reshape(make: Expressions, operation: Any, values: list[Value]) -> Value:
    """``Reshape``."""
    if isinstance(values[0], Dimensions):
        return Dimensions(values[0].sizes, scalar=dimensions(values[1]) == ())
    return _reshaped(make, dense(values[0]), list(dimensions(values[1])))


def _reshaped(make: Expressions, data: Expression, sizes: list[int | str]) -> Expression:
    if ROWS in sizes and -1 in sizes:
        # The probes tell how many values the rows leave for the other dimension.
        known = int(np.prod([size for size in sizes if isinstance(size, int) and size != -1]))
        rows = data.probes[0].size // PROBES[0]
        sizes[sizes.index(-1)] = rows // max(known, 1)
    wanted = [-1 if size == ROWS else size for size in sizes]
    if wanted.count(-1) > 1 or (data.constant and ROWS in sizes):
        raise NotTranslatable("its shape has the rows more than once, or is a constant's")
    return make.make("reshape", data, shape=wanted)


def expand_dims(make: Expressions, operation: Any, values: list[Value]) -> Value:
    """``ExpandDims``."""
    if isinstance(values[0], Dimensions):
        return Dimensions(values[0].sizes)
    data = dense(values[0])
    place = axis_of(fixed(values[1])[0], data.shape, extra=1)
    return make.make("slice", data, parts=[*[[None, None, None]] * place, "new"])


def squeeze(make: Expressions, operation: Any, values: list[Value]) -> Value:
    """``Squeeze``."""
    data = dense(values[0])
    axes = [axis_of(axis, data.shape) for axis in operation.get_attr("squeeze_dims")]
    axes = axes or [place for place, size in enumerate(data.shape) if size == 1]
    parts = [0 if place in axes else [None, None, None] for place in range(len(data.shape))]
    return make.make("slice", data, parts=parts)


def pack(make: Expressions, operation: Any, values: list[Value]) -> Value:
    """``Pack``: of tensors, or of sizes to a shape."""
    if any(isinstance(value, Dimensions) for value in values):
        return Dimensions(tuple(size for value in values for size in dimensions(value)))
    parts = [dense(value) for value in values]
    axis = axis_of(operation.get_attr("axis"), parts[0].shape, extra=1)
    if axis == 0 and not parts[0].constant:
        raise NotTranslatable("it puts a dimension before the rows")
    return make.make("stack", *parts, axis=axis)


def concat(make: Expressions, operation: Any, values: list[Value]) -> Value:
    """``ConcatV2``: of tensors, or of sizes to a shape."""
    *values, axis = values
    if any(isinstance(value, Dimensions) for value in values):
        return Dimensions(tuple(size for value in values for size in dimensions(value)))
    parts = [dense(value) for value in values]
    return make.concat(parts, axis_of(fixed(axis)[0], parts[0].shape))


def strided_slice(make: Expressions, operation: Any, values: list[Value]) -> Value:
    """``StridedSlice`` of a tensor, or of a shape."""
    masks = {
        name: operation.get_attr(f"{name}_mask")
        for name in ("begin", "end", "ellipsis", "new_axis", "shrink_axis")
    }
    starts, stops, steps = (fixed(value) for value in values[1:])
    parts: list[Any] = []
    for place, (start, stop, step) in enumerate(zip(starts, stops, steps, strict=True)):
        has = {name for name, mask in masks.items() if mask >> place & 1}
        if "ellipsis" in has:
            raise NotTranslatable("it has an ellipsis")
        if "new_axis" in has:
            parts.append("new")
        elif "shrink_axis" in has:
            parts.append(start)
        else:
            ends = (None if "begin" in has else start, None if "end" in has else stop)
            parts.append([*ends, step])
    if isinstance(values[0], Dimensions):
        return _part_of_shape(make, values[0], parts)
    return _sliced(make, dense(values[0]), parts)


def _part_of_shape(make: Expressions, shape: Dimensions, parts: list[Any]) -> Value:
    (part,) = parts
    if isinstance(part, list):
        return from_sizes(make, shape.sizes[slice(*part)])
    return from_sizes(make, (shape.sizes[part],), scalar=True)


def _sliced(make: Expressions, data: Expression, parts: list[Any]) -> Expression:
    sizes = iter(data.shape)
    for part in parts:
        if part != "new" and next(sizes) == ROWS and part not in ([None, None, 1], [0, None, 1]):
            raise NotTranslatable("it chooses rows")
    return make.make("slice", data, parts=parts)


def slice_of(make: Expressions, operation: Any, values: list[Value]) -> Value:
    """``Slice``."""
    starts, sizes = fixed(values[1]), fixed(values[2])
    ends = [None if n == -1 else a + n for a, n in zip(starts, sizes, strict=True)]
    parts = [[start, end, 1] for start, end in zip(starts, ends, strict=True)]
    if isinstance(values[0], Dimensions):
        return _part_of_shape(make, values[0], parts)
    return _sliced(make, dense(values[0]), parts)


def gather(make: Expressions, operation: Any, values: list[Value]) -> Value:
    """``GatherV2``: from a whole tensor, or from each first-dimension entry its own."""
    data, places = dense(values[0]), dense(values[1])
    batch = operation.get_attr("batch_dims")
    place = fixed(values[2])[0]
    if batch == 1 and place in (1, -1) and len(data.shape) == len(places.shape) == 2:
        return make.make("gather_each", data, places)
    if batch:
        raise NotTranslatable(f"it gathers with batch_dims={batch}")
    return make.make("gather", data, places, axis=axis_of(place, data.shape))


def transpose(make: Expressions, operation: Any, values: list[Value]) -> Value:
    """``Transpose``."""
    return make.make("transpose", dense(values[0]), order=fixed(values[1]))


def fill(make: Expressions, operation: Any, values: list[Value]) -> Value:
    """``Fill`` of a shape with the rows in it."""
    filler = dense(values[1])
    return make.filled(
        dimensions(values[0]), filler.value.item(), dtype_name(operation.get_attr("T"))
    )


def one_hot(make: Expressions, operation: Any, values: list[Value]) -> Value:
    """``OneHot`` with the classes as the last dimension."""
    if operation.get_attr("axis") != -1:
        raise NotTranslatable("its classes are not the last dimension")
    depth, on, off = (fixed(value)[0] for value in values[1:])
    dtype = dtype_name(operation.get_attr("T"))
    return make.make("one_hot", dense(values[0]), depth=depth, on=on, off=off, dtype=dtype)


def bound(name: str) -> Rule:
    """``UpperBound`` and ``LowerBound``, which are ``tf.searchsorted``."""

    def rule(make: Expressions, operation: Any, values: list[Value]) -> Value:
        bounds, data = dense(values[0]), dense(values[1])
        dtype = dtype_name(operation.get_attr("out_type"))
        return make.make(name, bounds, data, dtype=dtype)

    return rule


def broadcast(make: Expressions, operation: Any, values: list[Value]) -> Value:
    """``BroadcastTo`` over dimensions that are not the rows."""
    data, sizes = dense(values[0]), dimensions(values[1])
    if data.shape[:1] != (ROWS,) or sizes[:1] != (ROWS,) or ROWS in sizes[1:]:
        raise NotTranslatable("it repeats rows")
    return make.make("broadcast", data, shape=[None, *sizes[1:]])


def tile(make: Expressions, operation: Any, values: list[Value]) -> Value:
    """``Tile`` over dimensions that are not the rows."""
    data, times = dense(values[0]), fixed(values[1])
    if any(n != 1 and size == ROWS for n, size in zip(times, data.shape, strict=True)):
        raise NotTranslatable("it repeats rows")
    return make.make("tile", data, times=times)


def matmul(make: Expressions, operation: Any, values: list[Value]) -> Value:
    """``MatMul`` of rows with a constant matrix."""
    data, weights = dense(values[0]), dense(values[1])
    if operation.get_attr("transpose_b"):
        weights = make.make("transpose", weights, order=[1, 0])
    if operation.get_attr("transpose_a") or not weights.constant or len(data.shape) != 2:
        raise NotTranslatable("it multiplies rows with anything but a constant matrix")
    return make.make("matmul", data, weights)


#: Operation to its rule.
RULES: dict[str, Rule] = {
    "BroadcastTo": broadcast,
    "ConcatV2": concat,
    "ExpandDims": expand_dims,
    "Fill": fill,
    "GatherV2": gather,
    "LowerBound": bound("lower_bound"),
    "MatMul": matmul,
    "OneHot": one_hot,
    "Pack": pack,
    "Reshape": reshape,
    "Slice": slice_of,
    "Squeeze": squeeze,
    "StridedSlice": strided_slice,
    "Tile": tile,
    "Transpose": transpose,
    "UpperBound": bound("upper_bound"),
}
