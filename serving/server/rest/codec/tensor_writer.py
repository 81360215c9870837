"""Arrays to the JSON of a predict answer, laid out as TensorFlow Serving does."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from json.encoder import encode_basestring
from math import prod

import numpy as np

from headrace.serving.server.errors import ServingError
from headrace.serving.server.rest.codec import dtypes
from headrace.serving.server.rest.codec.floats import format_floats
from headrace.serving.server.rest.codec.tensor_errors import invalid
from headrace.serving.server.seam import Array

_INTEGERS = {np.dtype(name) for name in ("i1", "i2", "i4", "i8", "u1", "u4", "u8")}
_FLOATS = {np.dtype("f4"), np.dtype("f8")}


def encode(text: str) -> bytes:
    """The bytes of JSON; texts of a model that are not UTF-8 stay what they are."""
    return text.encode(errors="surrogateescape")


def write_rows(outputs: Mapping[str, Array]) -> bytes:
    """``{"predictions": […]}``: one value or list per row, or an object if outputs are several.

    Raises:
        ServingError: INVALID_ARGUMENT, an output has no rows or another number of rows than the
            others, or a type that JSON cannot show.
    """
    rows = _number_of_rows(outputs)
    several = len(outputs) > 1
    columns = []
    for name, array in outputs.items():
        texts = _texts(name, array, array.ndim + (2 if several else 1))
        columns.append(_nest(texts, array.shape[1:], rows, 0))
    if not several:
        (values,) = columns
        body = ", ".join(values) + "\n    " if rows else ""
        return encode('{\n    "predictions": [' + body + "]\n}")
    keys = [f"{12 * ' '}{encode_basestring(name)}: " for name in outputs]
    objects = [
        "\n        {\n" + ",\n".join(map(str.__add__, keys, row)) + "\n        }"
        for row in zip(*columns, strict=True)
    ]
    body = ",".join(objects) + "\n    " if rows else ""
    return encode('{\n    "predictions": [' + body + "]\n}")


def write_columns(outputs: Mapping[str, Array]) -> bytes:
    """``{"outputs": …}``: the bare value of one output, or an object of several.

    Raises:
        ServingError: INVALID_ARGUMENT, a type that JSON cannot show.
    """
    if not outputs:
        raise invalid("Cannot convert empty tensor map to JSON")
    depth = 2 if len(outputs) > 1 else 1
    values = []
    for name, array in outputs.items():
        texts = _texts(name, array, array.ndim + depth)
        values += _nest(texts, array.shape, 1, depth)
    if depth == 1:
        return encode('{\n    "outputs": ' + values[0] + "\n}")
    members = [
        f"        {encode_basestring(name)}: {value}"
        for name, value in zip(outputs, values, strict=True)
    ]
    return encode('{\n    "outputs": {\n' + ",\n".join(members) + "\n    }\n}")


def _number_of_rows(outputs: Mapping[str, Array]) -> int:
    if not outputs:
        raise invalid("Cannot convert empty tensor map to JSON")
    rows: int | None = None
    for name, array in outputs.items():
        if array.ndim == 0:
            raise invalid(f"Tensor name: {name} has no shape information ")
        if rows is not None and len(array) != rows:
            raise invalid(
                f"Tensor name: {name} has inconsistent batch size: {len(array)} expecting: {rows}"
            )
        rows = len(array)
    return rows or 0


def _texts(name: str, array: Array, depth: int) -> list[str]:
    """One text per element, in order; ``depth`` counts the brackets open around an element."""
    if array.dtype in _FLOATS:
        return format_floats(array.ravel())
    if array.dtype in _INTEGERS:
        return list(map(str, array.ravel().tolist()))
    if array.dtype == np.bool_:
        return ["true" if value else "false" for value in array.ravel().tolist()]
    if array.dtype == object:
        values = array.ravel().tolist()
        if name.endswith("_bytes"):
            return [_base64_object(value, depth) for value in values]
        return [encode_basestring(value.decode(errors="surrogateescape")) for value in values]
    raise _unwritable(array)


def _unwritable(array: Array) -> ServingError:
    name = dtypes.numpy_type_name(array.dtype)
    return invalid(f"Failed to write JSON value for tensor type: {name}")


def _base64_object(value: bytes, depth: int) -> str:
    indent = 4 * depth * " "
    text = base64.b64encode(value).decode()
    return f'{{\n{indent}    "b64": "{text}"\n{indent}}}'


def _nest(texts: list[str], shape: tuple[int, ...], count: int, depth: int) -> list[str]:
    """``count`` values of one shape, from the texts of all their elements.

    Args:
        texts: Of all elements, row-major.
        shape: Of each value.
        count: Number of values.
        depth: Brackets open around a value, to write one element per line; 0 for a single line.
    """
    for axis in reversed(range(len(shape))):
        size, groups = shape[axis], count * prod(shape[:axis])
        indent = "\n" + 4 * (depth + axis) * " " if depth else ""
        if size:
            between = f",{indent}    " if depth else ", "
            first = f"[{indent}    " if depth else "["
            texts = [
                first + between.join(texts[at : at + size]) + indent + "]"
                for at in range(0, groups * size, size)
            ]
        else:
            texts = ["[]"] * groups
    return texts
