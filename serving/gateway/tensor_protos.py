"""NumPy arrays as ``TensorProto`` and back, with nothing of TensorFlow but the message."""

from __future__ import annotations

import functools
import math
from typing import Any

import numpy as np
import numpy.typing as npt

from headrace.serving.gateway.errors import InvalidRequestError, PredictionError
from headrace.serving.gateway.protocol import serving_apis

Array = npt.NDArray[Any]

#: NumPy's name of a type: TensorFlow's, and the field that holds values one by one.
_TYPES = {
    "float16": ("DT_HALF", "half_val"),
    "float32": ("DT_FLOAT", "float_val"),
    "float64": ("DT_DOUBLE", "double_val"),
    "int8": ("DT_INT8", "int_val"),
    "int16": ("DT_INT16", "int_val"),
    "int32": ("DT_INT32", "int_val"),
    "int64": ("DT_INT64", "int64_val"),
    "uint8": ("DT_UINT8", "int_val"),
    "uint16": ("DT_UINT16", "int_val"),
    "uint32": ("DT_UINT32", "uint32_val"),
    "uint64": ("DT_UINT64", "uint64_val"),
    "bool": ("DT_BOOL", "bool_val"),
    "complex64": ("DT_COMPLEX64", "scomplex_val"),
    "complex128": ("DT_COMPLEX128", "dcomplex_val"),
    "object": ("DT_STRING", "string_val"),
}


def dtype_of(number: int) -> np.dtype[Any]:
    """The NumPy type of a ``DataType``; texts are objects.

    Raises:
        PredictionError: it is none of those that a client can send.
    """
    name = serving_apis().types.DataType.Name(number)
    found = next((ours for ours, (theirs, _) in _TYPES.items() if theirs == name), None)
    if found is None:
        raise PredictionError(
            f"The model has a tensor of type {name}.",
            fix=f"Export a signature with one of {', '.join(t for t, _ in _TYPES.values())}.",
        )
    return np.dtype(found)


def to_proto(array: Array, proto: Any) -> None:
    """Writes an array into an empty ``TensorProto``.

    Raises:
        InvalidRequestError: its type cannot be sent.
    """
    if array.dtype.kind in "SU":
        array = array.astype(object)
    if array.dtype.name not in _TYPES:
        raise InvalidRequestError(
            f"An array of type {array.dtype} cannot be sent.",
            fix=f"Convert it to one of {', '.join(_TYPES)}.",
        )
    proto.dtype = _number(array.dtype.name)
    for size in array.shape:
        proto.tensor_shape.dim.add(size=size)
    if array.dtype.kind == "O":
        proto.string_val.extend(map(as_bytes, array.ravel()))
    else:
        little = array.astype(array.dtype.newbyteorder("<"), copy=False)
        proto.tensor_content = little.tobytes()


def from_proto(proto: Any) -> Array:
    """The array in a ``TensorProto``, in any of its encodings; texts are ``bytes`` objects."""
    dtype = dtype_of(proto.dtype)
    shape = [dim.size for dim in proto.tensor_shape.dim]
    if proto.tensor_content:
        return np.frombuffer(proto.tensor_content, dtype.newbyteorder("<")).reshape(shape).copy()
    values = list(getattr(proto, _TYPES[dtype.name][1]))
    if dtype == np.float16:
        flat = np.array(values, np.uint16).view(np.float16)
    elif dtype.kind == "c":
        flat = np.array(values, f"f{dtype.itemsize // 2}").view(dtype)
    else:
        flat = np.array(values, dtype)
    # A list that is too short repeats its last value; an empty one means zeros.
    size = math.prod(shape)
    if flat.size < size:
        last = flat[-1:] if flat.size else np.zeros(1, dtype)
        flat = np.concatenate([flat, np.repeat(last, size - flat.size)])
    return flat.reshape(shape)


@functools.cache
def field_of(number: int) -> str:
    """The field of a ``TensorProto`` that holds values of a ``DataType`` one by one."""
    return _TYPES[dtype_of(number).name][1]


def as_bytes(value: Any) -> bytes:
    """One value of a text tensor."""
    return value if isinstance(value, bytes) else str(value).encode()


@functools.cache
def _number(name: str) -> int:
    return int(serving_apis().types.DataType.Value(_TYPES[name][0]))
