"""JSON values to arrays: whole lists at once, and error texts only for what does not fit."""

from __future__ import annotations

from collections.abc import Callable
from itertools import chain
from typing import Any

import numpy as np

from headrace.serving.server.errors import ServingError
from headrace.serving.server.rest.codec import dtypes
from headrace.serving.server.rest.codec.base64_value import decode_base64
from headrace.serving.server.rest.codec.tensor_errors import MAX_RANK, check_tensor
from headrace.serving.server.seam import Array

_INT32 = (-(2**31), 2**31 - 1)


def read_tensor(value: Any, dtype: int, alias: str) -> Array:
    """A JSON value as an array of type ``dtype`` and of the shape that its lists have.

    Args:
        value: Numbers, texts, booleans or base64 objects, in lists of any depth.
        dtype: TensorFlow's ``DataType`` number.
        alias: Name of the input, for error texts.

    Raises:
        ServingError: ragged lists, or a value of another type (INVALID_ARGUMENT, and UNIMPLEMENTED
            for types that JSON has no way to send).
    """
    array = try_tensor(value, dtype)
    if array is None:
        check_tensor(value, dtype, alias)
        raise AssertionError(f"no array of {dtype} though nothing is wrong with it")
    return array


def try_tensor(value: Any, dtype: int) -> Array | None:
    """The same, or nothing if anything at all is not as it should be."""
    read = _READERS.get(dtype)
    if read is None:
        return None
    level: list[Any] = [value]
    shape: list[int] = []
    while level and type(level[0]) is list:
        sizes = set(map(len, level)) if set(map(type, level)) == {list} else set()
        if len(sizes) != 1 or len(shape) == MAX_RANK:
            return None
        shape += sizes
        level = list(chain.from_iterable(level))
    flat = read(level)
    return None if flat is None else flat.reshape(shape)


def _floats(values: list[Any], dtype: type[np.floating[Any]]) -> Array | None:
    if not set(map(type, values)) <= {int, float}:
        return None
    # By way of doubles, as everywhere in TensorFlow Serving; what is too large becomes infinite.
    with np.errstate(over="ignore"):
        return np.array(values, np.float64).astype(dtype)


def _integers(values: list[Any], dtype: type[np.integer[Any]], low: int, high: int) -> Array | None:
    if not set(map(type, values)) <= {int}:
        return None
    if values and not (low <= min(values) and max(values) <= high):
        return None
    # Types narrower than the limits wrap, as in TensorFlow Serving.
    wide = np.uint64 if high > 2**63 else np.int64
    return np.array(values, wide).astype(dtype)


def _booleans(values: list[Any]) -> Array | None:
    return np.array(values, np.bool_) if set(map(type, values)) <= {bool} else None


def _strings(values: list[Any]) -> Array | None:
    array = np.empty(len(values), object)
    try:
        array[:] = [
            value.encode(errors="surrogateescape") if type(value) is str else decode_base64(value)
            for value in values
        ]
    except ServingError:
        return None
    return array


_READERS: dict[int, Callable[[list[Any]], Array | None]] = {
    dtypes.FLOAT: lambda values: _floats(values, np.float32),
    dtypes.DOUBLE: lambda values: _floats(values, np.float64),
    dtypes.INT32: lambda values: _integers(values, np.int32, *_INT32),
    dtypes.INT16: lambda values: _integers(values, np.int16, *_INT32),
    dtypes.INT8: lambda values: _integers(values, np.int8, *_INT32),
    dtypes.UINT8: lambda values: _integers(values, np.uint8, *_INT32),
    dtypes.INT64: lambda values: _integers(values, np.int64, -(2**63), 2**63 - 1),
    dtypes.UINT32: lambda values: _integers(values, np.uint32, 0, 2**32 - 1),
    dtypes.UINT64: lambda values: _integers(values, np.uint64, 0, 2**64 - 1),
    dtypes.BOOL: _booleans,
    dtypes.STRING: _strings,
}
