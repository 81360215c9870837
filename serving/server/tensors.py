"""``TensorProto`` to numpy and back, as TensorFlow's C++ ``Tensor`` does it, without its detours.

``tf.make_ndarray`` takes a hundred microseconds for what is a view of bytes; a request has ten.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from google.protobuf.internal import decoder, encoder
from tensorflow.core.framework import tensor_pb2, types_pb2
from tensorflow.dtypes import as_dtype

from headrace.serving.server.seam import Array

#: No tensor of a request may need more memory; the largest message has this size too.
MAX_TENSOR_BYTES = 2**31 - 1

# Type, and the field of TensorProto that holds its values one by one.
_FIELD = {
    types_pb2.DT_FLOAT: "float_val",
    types_pb2.DT_DOUBLE: "double_val",
    types_pb2.DT_INT32: "int_val",
    types_pb2.DT_UINT8: "int_val",
    types_pb2.DT_INT16: "int_val",
    types_pb2.DT_INT8: "int_val",
    types_pb2.DT_UINT16: "int_val",
    types_pb2.DT_INT64: "int64_val",
    types_pb2.DT_BOOL: "bool_val",
    types_pb2.DT_UINT32: "uint32_val",
    types_pb2.DT_UINT64: "uint64_val",
    types_pb2.DT_COMPLEX64: "scomplex_val",
    types_pb2.DT_COMPLEX128: "dcomplex_val",
    types_pb2.DT_HALF: "half_val",
    types_pb2.DT_BFLOAT16: "half_val",
}
_NUMPY: dict[int, np.dtype[Any]] = {
    number: np.dtype(as_dtype(number).as_numpy_dtype) for number in _FIELD
}
_NUMBER: dict[np.dtype[Any], int] = {dtype: number for number, dtype in _NUMPY.items()}
# Packed little-endian values are numpy's own bytes: tag of float_val and of double_val.
_RAW_TAG = {types_pb2.DT_FLOAT: b"\x2a", types_pb2.DT_DOUBLE: b"\x32"}
_varint_bytes = encoder._VarintBytes
_read_varint = decoder._DecodeVarint32


class TensorError(ValueError):
    """A ``TensorProto`` whose shape, type and values do not belong together."""


def numpy_dtype(number: int) -> np.dtype[Any]:
    """The numpy type of a ``DataType`` number; strings are objects.

    Raises:
        TensorError: the type has no values that could be sent.
    """
    if number == types_pb2.DT_STRING:
        return np.dtype(object)
    try:
        return _NUMPY[number]
    except KeyError:
        raise TensorError(f"type {number} cannot be sent") from None


def data_type(array: Array) -> int:
    """The ``DataType`` number of a numpy array; objects are strings."""
    if array.dtype.kind in "OSU":
        return int(types_pb2.DT_STRING)
    return _NUMBER[array.dtype]


def from_proto(proto: tensor_pb2.TensorProto) -> Array:
    """Reads a tensor. ``tensor_content`` is viewed, not copied.

    A ``*_val`` list that is too short repeats its last value; an empty one means zeros.

    Raises:
        TensorError: shape, type and values do not belong together, or the tensor is too large.
    """
    dtype = numpy_dtype(proto.dtype)
    shape = _shape(proto)
    size = math.prod(shape)
    if size * dtype.itemsize > MAX_TENSOR_BYTES:
        raise TensorError("too large")
    if proto.dtype == types_pb2.DT_STRING:
        return _strings(proto, size).reshape(shape)
    if content := proto.tensor_content:
        if len(content) != size * dtype.itemsize:
            raise TensorError("tensor_content has the wrong size")
        return np.frombuffer(content, dtype).reshape(shape)
    return _repeat_last(_values(proto, dtype), size).reshape(shape)


def to_proto(array: Array, proto: tensor_pb2.TensorProto, *, as_content: bool = False) -> None:
    """Writes an array into an empty ``proto``: ``*_val`` fields, or ``tensor_content``."""
    number = data_type(array)
    proto.dtype = number
    for size in array.shape:
        proto.tensor_shape.dim.add().size = size
    if number == types_pb2.DT_STRING:
        values = [_bytes(value) for value in array.ravel().tolist()]
        if as_content:
            sizes = b"".join(_varint_bytes(len(value)) for value in values)
            proto.tensor_content = sizes + b"".join(values)
        else:
            proto.string_val.extend(values)
    elif as_content:
        proto.tensor_content = array.tobytes()
    elif (tag := _RAW_TAG.get(number)) is not None:
        raw = array.tobytes()
        if raw:
            proto.MergeFromString(tag + _varint_bytes(len(raw)) + raw)
    else:
        getattr(proto, _FIELD[number]).extend(_plain(array))


def _shape(proto: tensor_pb2.TensorProto) -> tuple[int, ...]:
    if proto.tensor_shape.unknown_rank:
        raise TensorError("unknown rank")
    shape = tuple(dim.size for dim in proto.tensor_shape.dim)
    if len(shape) > 64 or any(size < 0 for size in shape):
        raise TensorError(f"shape {shape}")
    return shape


def _values(proto: tensor_pb2.TensorProto, dtype: np.dtype[Any]) -> Array:
    values = getattr(proto, _FIELD[proto.dtype])
    if dtype.kind == "c":
        part = np.dtype(f"f{dtype.itemsize // 2}")
        if len(values) % 2:
            raise TensorError("half a complex number")
        return np.fromiter(values, part, len(values)).view(dtype)
    if _FIELD[proto.dtype] == "half_val":
        return np.fromiter(values, np.int32, len(values)).astype(np.uint16).view(dtype)
    if _FIELD[proto.dtype] == "int_val":  # narrow types wrap, as a C++ cast does
        return np.fromiter(values, np.int32, len(values)).astype(dtype)
    return np.fromiter(values, dtype, len(values))


def _repeat_last(values: Array, size: int) -> Array:
    if len(values) >= size:
        return values[:size]
    if not len(values):
        return np.zeros(size, values.dtype)
    return np.concatenate([values, np.broadcast_to(values[-1:], (size - len(values),))])


def _strings(proto: tensor_pb2.TensorProto, size: int) -> Array:
    # Each string needs its place in memory, whatever the message's own size.
    if size * 24 > MAX_TENSOR_BYTES:
        raise TensorError("too large")
    values = list(proto.string_val)
    if proto.tensor_content:
        values = _decode_strings(proto.tensor_content, size)
    filler = values[-1] if values else b""
    values = values[:size] + [filler] * (size - len(values))
    array = np.empty(size, object)
    array[:] = values
    return array


def _decode_strings(content: bytes, count: int) -> list[bytes]:
    try:
        sizes, position = [], 0
        for _ in range(count):
            size, position = _read_varint(content, position)
            sizes.append(size)
    except IndexError:
        raise TensorError("tensor_content ends early") from None
    if position + sum(sizes) != len(content):
        raise TensorError("tensor_content has the wrong size")
    values = []
    for size in sizes:
        values.append(content[position : position + size])
        position += size
    return values


def _plain(array: Array) -> list[Any]:
    flat = array.ravel()
    if flat.dtype.kind == "c":
        return flat.view(f"f{flat.dtype.itemsize // 2}").tolist()
    if _FIELD[_NUMBER[flat.dtype]] == "half_val":
        return flat.view(np.uint16).tolist()
    return flat.tolist()


def _bytes(value: bytes | str) -> bytes:
    return value if isinstance(value, bytes) else value.encode()
