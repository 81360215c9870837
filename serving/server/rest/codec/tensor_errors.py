"""Says what is wrong with a JSON tensor, in the words and the order of TensorFlow Serving.

Reading whole lists at once finds that something is wrong, not what. This walks value by value.
"""

from __future__ import annotations

from typing import Any

from headrace.serving.server.errors import Code, ServingError
from headrace.serving.server.rest.codec import dtypes
from headrace.serving.server.rest.codec.base64_value import decode_base64
from headrace.serving.server.rest.codec.debug_string import debug_string

#: Numpy's largest rank.
MAX_RANK = 64

_JSON_TYPES = {
    type(None): "Null",
    dict: "Object",
    list: "Array",
    str: "String",
    int: "Number",
    float: "Number",
}
_INTEGERS = {
    dtypes.INT32: (-(2**31), 2**31 - 1),
    dtypes.INT16: (-(2**31), 2**31 - 1),
    dtypes.INT8: (-(2**31), 2**31 - 1),
    dtypes.UINT8: (-(2**31), 2**31 - 1),
    dtypes.INT64: (-(2**63), 2**63 - 1),
    dtypes.UINT32: (0, 2**32 - 1),
    dtypes.UINT64: (0, 2**64 - 1),
}
_OTHERS: dict[int, tuple[type, ...]] = {
    dtypes.FLOAT: (int, float),
    dtypes.DOUBLE: (int, float),
    dtypes.BOOL: (bool,),
    dtypes.STRING: (str,),
}


def invalid(text: str) -> ServingError:
    """An error of the client."""
    return ServingError(Code.INVALID_ARGUMENT, text)


def json_type(value: Any) -> str:
    """RapidJSON's name of a value's type."""
    return str(value) if type(value) is bool else _JSON_TYPES[type(value)]


def check_tensor(value: Any, dtype: int, alias: str) -> tuple[int, ...]:
    """The shape of a JSON tensor.

    Raises:
        ServingError: it is ragged, nested too deeply, or holds a value that is no ``dtype``.
    """
    shape: list[int] = []
    first = value
    while type(first) is list:
        if len(shape) == MAX_RANK:
            raise invalid(f"tensor parsing error: {alias}")
        shape.append(len(first))
        first = first[0] if first else None
    _check(value, dtype, shape, 0)
    return tuple(shape)


def _check(value: Any, dtype: int, shape: list[int], level: int) -> None:
    rank = len(shape)
    if type(value) is not list:
        if level != rank:
            raise invalid(
                f"JSON Value: {debug_string(value)} found at incorrect level: {level + 1}"
                f" in the JSON DOM. Expected at level: {rank}"
            )
        _check_value(value, dtype)
        return
    if level >= rank:
        raise invalid(f"Encountered list at unexpected level: {level} expected < {rank}")
    if len(value) != shape[level]:
        raise invalid(
            f"Encountered list at unexpected size: {len(value)} at level: {level}"
            f" expected size: {shape[level]}"
        )
    for element in value:
        _check(element, dtype, shape, level + 1)


def _check_value(value: Any, dtype: int) -> None:
    if type(value) is dict and dtype == dtypes.STRING:
        decode_base64(value)
        return
    if type(value) is not dict and dtype not in _INTEGERS and dtype not in _OTHERS:
        raise ServingError(
            Code.UNIMPLEMENTED,
            f"Conversion of JSON Value: {debug_string(value)} to type: {dtypes.type_name(dtype)}",
        )
    if dtype in _INTEGERS:
        low, high = _INTEGERS[dtype]
        fits = type(value) is int and low <= value <= high
    else:
        fits = type(value) in _OTHERS.get(dtype, ())
    if not fits:
        raise invalid(
            f"JSON Value: {debug_string(value)} Type: {json_type(value)}"
            f" is not of expected type: {dtypes.type_name(dtype)}"
        )
