"""TensorFlow's types, as the JSON codec needs them, without TensorFlow."""

from __future__ import annotations

from typing import Any

import numpy as np

# In the order of their numbers.
# fmt: off
_NAMES = [
    "invalid", "float", "double", "int32", "uint8", "int16", "int8", "string", "complex64",
    "int64", "bool", "qint8", "quint8", "qint32", "bfloat16", "qint16", "quint16", "uint16",
    "complex128", "half", "resource", "variant", "uint32", "uint64",
]
# fmt: on
_OF_NUMPY = {"float16": "half", "float32": "float", "float64": "double", "object": "string"}

FLOAT, DOUBLE, INT32, UINT8, INT16, INT8, STRING = range(1, 8)
INT64, BOOL, UINT32, UINT64 = 9, 10, 22, 23


def type_name(number: int) -> str:
    """The name of a ``DataType`` number in error texts, for example ``float``."""
    return _NAMES[number] if number < len(_NAMES) else f"type {number}"


def numpy_type_name(dtype: np.dtype[Any]) -> str:
    """The same of a numpy type."""
    return _OF_NUMPY.get(dtype.name, dtype.name)
