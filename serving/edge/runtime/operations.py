"""The operations that a preprocessing may consist of, in NumPy, as TensorFlow computes them.

Each entry of :data:`OPERATIONS` takes a step's attributes and returns a function of arrays. Rows
are one dimension of an array, usually the first; no operation mixes them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import logarithm
from .features import DTYPES
from .fingerprint import fingerprint64

Array = np.ndarray
Function = Callable[..., Any]

#: Up to so many comparisons, comparing with every boundary beats one search per row.
_FEW = 65_536


def _cast(dtype: str) -> Function:
    kind = DTYPES[dtype]
    return lambda values: values.astype(kind)


def _full_like(value: Any, dtype: str) -> Function:
    kind = DTYPES[dtype]
    return lambda values: np.full(values.shape, value, kind)


def _divide_no_nan(x: Array, y: Array) -> Array:
    zero = y == 0
    return np.asarray(np.where(zero, x.dtype.type(0), x / np.where(zero, y.dtype.type(1), y)))


def _floor_divide(x: Array, y: Array) -> Array:
    return np.asarray(np.floor(x / y) if x.dtype.kind == "f" else np.floor_divide(x, y))


def _rsqrt(x: Array) -> Array:
    return np.asarray(np.reciprocal(np.sqrt(x)))


def _sigmoid(x: Array) -> Array:
    one = x.dtype.type(1)
    return np.asarray(one / (one + np.exp(-x)))


def _reshape(shape: Sequence[int]) -> Function:
    """``-1`` stands for the rows."""
    return lambda values: values.reshape(shape)


def _fill(shape: Sequence[int | None], value: Any, dtype: str) -> Function:
    """``None`` stands for the rows, which are counted on the input."""
    kind = DTYPES[dtype]
    return lambda like: np.full([len(like) if n is None else n for n in shape], value, kind)


def _slice(parts: Sequence[Any]) -> Function:
    """Each part is ``[start, stop, step]``, an index, or ``"new"`` for a new dimension."""
    index = tuple(
        slice(*part) if isinstance(part, list) else None if part == "new" else part
        for part in parts
    )
    return lambda values: values[index]


def _gather(axis: int) -> Function:
    return lambda values, places: np.take(values, places, axis=axis)


def _gather_each(values: Array, places: Array) -> Array:
    """From each first-dimension entry of ``values`` [n, m], its own ``places`` [n, k]."""
    return np.asarray(values[np.arange(len(values))[:, None], places])


def _one_hot(depth: int, on: Any, off: Any, dtype: str) -> Function:
    kind = DTYPES[dtype].type
    classes = np.arange(depth)
    return lambda places: np.where(places[..., None] == classes, kind(on), kind(off))


def _bound(side: str, dtype: str) -> Function:
    """``tf.searchsorted`` of ``values`` [k, n] in the rows of ``bounds`` [k, m].

    A NaN is greater than every bound from the right, and smaller from the left.
    """
    kind = DTYPES[dtype]

    def search(bounds: Array, values: Array) -> Array:
        width = bounds.shape[1]
        if values.size * width <= _FEW:
            each, all_bounds = values[:, :, None], bounds[:, None, :]
            if side == "left":
                return np.asarray(np.count_nonzero(all_bounds < each, axis=2), kind)
            return np.asarray(width - np.count_nonzero(each < all_bounds, axis=2), kind)
        found = np.empty(values.shape, kind)
        for k in range(len(values)):
            found[k] = np.searchsorted(bounds[k], values[k], side)  # type: ignore[call-overload]
        if side == "left":
            found[np.isnan(values)] = 0
        return found

    return search


def _bucketize(boundaries: Sequence[float]) -> Function:
    bounds = np.asarray(boundaries, np.float32)
    return lambda values: np.searchsorted(bounds, values, "right").astype(np.int32)


def _lookup(keys: Sequence[Any], values: Sequence[Any], default: Any, dtype: str) -> Function:
    table = dict(zip(keys, values, strict=True))
    return _per_value(lambda key: table.get(key, default), dtype)


def _hash_bucket(buckets: int) -> Function:
    def bucket(text: str) -> int:
        return fingerprint64(text.encode("utf-8", "surrogateescape")) % buckets

    return _per_value(bucket, "int64")


def _per_value(function: Callable[[Any], Any], dtype: str) -> Function:
    kind = DTYPES[dtype]

    def apply(values: Array) -> Array:
        result = np.empty(values.size, kind)
        result[:] = [function(value) for value in values.ravel().tolist()]
        return result.reshape(values.shape)

    return apply


def _text(method: str) -> Function:
    """A method of bytes, which touches ASCII characters only, as TensorFlow does."""

    def change(text: str) -> str:
        changed: bytes = getattr(text.encode("utf-8", "surrogateescape"), method)()
        return changed.decode("utf-8", "surrogateescape")

    return _per_value(change, "string")


def _join_texts(separator: str) -> Function:
    def join(*texts: Array) -> Array:
        parts = np.broadcast_arrays(*texts)
        result = np.empty(parts[0].size, object)
        columns = [part.ravel().tolist() for part in parts]
        result[:] = [separator.join(row) for row in zip(*columns, strict=True)]
        return result.reshape(parts[0].shape)

    return join


def _reduce(how: str, axes: Sequence[int], keepdims: bool) -> Function:
    function = _REDUCTIONS[how]
    return lambda values: function(values, axis=tuple(axes), keepdims=keepdims)


def _stack(axis: int) -> Function:
    return lambda *arrays: np.stack(arrays, axis)


def _concat(axis: int) -> Function:
    return lambda *arrays: np.concatenate(arrays, axis)


def _transpose(order: Sequence[int]) -> Function:
    return lambda values: values.transpose(order)


def _broadcast(shape: Sequence[int | None]) -> Function:
    """``None`` keeps the input's rows, which are its first dimension."""
    return lambda values: np.broadcast_to(values, [len(values) if n is None else n for n in shape])


def _tile(times: Sequence[int]) -> Function:
    return lambda values: np.tile(values, times)


_PLAIN: dict[str, Function] = {
    "abs": np.abs,
    "add": np.add,
    "ceil": np.ceil,
    "cos": np.cos,
    "divide": np.true_divide,
    "divide_no_nan": _divide_no_nan,
    "equal": np.equal,
    "exp": np.exp,
    "expm1": np.expm1,
    "floor": np.floor,
    "floor_divide": _floor_divide,
    "floor_mod": np.mod,
    "gather_each": _gather_each,
    "greater": np.greater,
    "greater_equal": np.greater_equal,
    "is_finite": np.isfinite,
    "is_inf": np.isinf,
    "is_nan": np.isnan,
    "less": np.less,
    "less_equal": np.less_equal,
    "log": logarithm.log,
    "log1p": logarithm.log1p,
    "logical_and": np.logical_and,
    "logical_not": np.logical_not,
    "logical_or": np.logical_or,
    "matmul": np.matmul,
    "maximum": np.maximum,
    "minimum": np.minimum,
    "multiply": np.multiply,
    "negative": np.negative,
    "not_equal": np.not_equal,
    "power": np.power,
    "reciprocal": np.reciprocal,
    "round": np.rint,
    "rsqrt": _rsqrt,
    "select": np.where,
    "sigmoid": _sigmoid,
    "sign": np.sign,
    "sin": np.sin,
    "sqrt": np.sqrt,
    "square": np.square,
    "subtract": np.subtract,
    "tanh": np.tanh,
}


_REDUCTIONS: dict[str, Function] = {
    "all": np.all,
    "any": np.any,
    "max": np.max,
    "mean": np.mean,
    "min": np.min,
    "prod": np.prod,
    "sum": np.sum,
}


def _plain(function: Function) -> Callable[[], Function]:
    return lambda: function


#: Operation to what makes its function from the step's attributes.
OPERATIONS: dict[str, Callable[..., Function]] = {
    **{name: _plain(function) for name, function in _PLAIN.items()},
    "broadcast": _broadcast,
    "bucketize": _bucketize,
    "cast": _cast,
    "concat": _concat,
    "fill": _fill,
    "full_like": _full_like,
    "gather": _gather,
    "hash_bucket": _hash_bucket,
    "join_texts": _join_texts,
    "lookup": _lookup,
    "lower_bound": lambda dtype: _bound("left", dtype),
    "lower_text": lambda: _text("lower"),
    "one_hot": _one_hot,
    "reduce": _reduce,
    "reshape": _reshape,
    "slice": _slice,
    "stack": _stack,
    "strip_text": lambda: _text("strip"),
    "tile": _tile,
    "transpose": _transpose,
    "upper_bound": lambda dtype: _bound("right", dtype),
    "upper_text": lambda: _text("upper"),
}

#: Operations that compute each value from the value at the same place, or a scalar.
ELEMENTWISE = frozenset(_PLAIN) - {"matmul", "gather_each"} | {
    "bucketize",
    "cast",
    "full_like",
    "hash_bucket",
    "lookup",
    "lower_text",
    "strip_text",
    "upper_text",
}
