"""The JSON of a predict request: rows (``instances``) or columns (``inputs``)."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from math import prod
from operator import itemgetter
from typing import Any

from headrace.serving.server.errors import ServingError
from headrace.serving.server.rest.codec.base64_value import is_base64
from headrace.serving.server.rest.codec.debug_string import debug_string
from headrace.serving.server.rest.codec.tensor_errors import check_tensor, invalid
from headrace.serving.server.rest.codec.tensor_reader import read_tensor, try_tensor
from headrace.serving.server.seam import Array, TensorSpec

Inputs = Mapping[str, TensorSpec]


class Form(enum.Enum):
    """How a request holds its values; the answer holds its own in the same way."""

    ROWS = "instances"
    COLUMNS = "inputs"


def read_signature_name(document: dict[str, Any]) -> str:
    """The signature that a request asks for; ``""`` if it names none.

    Raises:
        ServingError: INVALID_ARGUMENT, the name is not a text.
    """
    name = document.get("signature_name", "")
    if type(name) is not str:
        raise invalid(
            f"JSON Value: {debug_string(document)} not formatted correctly. "
            "'signature_name' key must be a string value."
        )
    # Names of signatures are UTF-8, so that any other name is one that is not there.
    return name.encode(errors="surrogateescape").decode(errors="replace")


def read_predict(document: dict[str, Any], inputs: Inputs) -> tuple[dict[str, Array], Form]:
    """The arrays of a predict request, by input alias.

    Args:
        document: The request.
        inputs: The inputs of the signature.

    Raises:
        ServingError: with TensorFlow Serving's texts.
    """
    if not inputs:
        name = read_signature_name(document) or "DEFAULT"
        raise invalid(f"Failed to get input map for signature: {name}")
    if "instances" in document:
        if "inputs" in document:
            raise _format_error(
                document,
                "Not formatted correctly expecting only one of 'inputs' or 'instances' keys to"
                " exist ",
            )
        rows = document["instances"]
        if type(rows) is not list:
            raise _format_error(document, "Expecting 'instances' to be an list/array")
        if not rows:
            raise _format_error(document, "No values in 'instances' array")
        return _read_rows(rows, inputs), Form.ROWS
    if "inputs" in document:
        return _read_columns(document["inputs"], inputs), Form.COLUMNS
    raise invalid("Missing 'inputs' or 'instances' key")


def _format_error(document: dict[str, Any], text: str) -> ServingError:
    return invalid(f"JSON Value: {debug_string(document)} {text}")


def _read_columns(columns: Any, inputs: Inputs) -> dict[str, Array]:
    if type(columns) is not dict or is_base64(columns):
        if len(inputs) > 1:
            raise invalid(
                "inputs is a plain value/list, but expecting an object as multiple "
                "input tensors required as per tensorinfo_map"
            )
        ((alias, spec),) = inputs.items()
        return {alias: read_tensor(columns, spec.dtype, alias)}
    arrays = {}
    for alias, spec in inputs.items():
        if alias not in columns:
            raise invalid(f"Missing named input: {alias} in 'inputs' object.")
        arrays[alias] = read_tensor(columns[alias], spec.dtype, alias)
    return arrays


def _read_rows(rows: list[Any], inputs: Inputs) -> dict[str, Array]:
    if type(rows[0]) is not dict and len(inputs) > 1:
        raise invalid(
            "instances is a plain list, but expecting list of objects as multiple "
            "input tensors required as per tensorinfo_map"
        )
    arrays = _try_rows(rows, inputs)
    if arrays is None:
        _check_rows(rows, inputs)
        raise AssertionError("rows that cannot be read though nothing is wrong with them")
    return arrays


def _is_object(row: Any) -> bool:
    return type(row) is dict and not is_base64(row)


def _try_rows(rows: list[Any], inputs: Inputs) -> dict[str, Array] | None:
    """All rows of one input at once, or nothing if any row is not as it should be."""
    arrays = {}
    if not _is_object(rows[0]):
        columns = dict.fromkeys(inputs, rows)
    elif set(map(type, rows)) == {dict} and set(map(len, rows)) == {len(inputs)}:
        try:
            columns = {alias: list(map(itemgetter(alias), rows)) for alias in inputs}
        except KeyError:
            return None
    else:
        return None
    for alias, column in columns.items():
        array = try_tensor(column, inputs[alias].dtype)
        if array is None:
            return None
        arrays[alias] = array
    return arrays


def _check_rows(rows: list[Any], inputs: Inputs) -> None:
    """Says what is wrong with the first row that is not as it should be."""
    objects = _is_object(rows[0])
    shapes: dict[str, tuple[int, ...]] = {}
    for index, row in enumerate(rows):
        if _is_object(row) != objects:
            wanted, got = ("object", "list") if objects else ("value/list", "object")
            raise invalid(f"Expecting {wanted} but got {got} at item {index} of input list")
        for alias, value in row.items() if objects else [(next(iter(inputs)), row)]:
            try:
                _check_cell(value, alias, inputs, shapes)
            except ServingError as error:
                key = f" key: {alias}" if objects else ""
                raise invalid(
                    f"Failed to process element: {index}{key} of 'instances' list. Error: {error}"
                ) from None
        if objects and row.keys() != inputs.keys():
            raise invalid(
                f"Failed to process element: {index} of 'instances' list. JSON object: "
                f"{debug_string(row)} keys must be equal to: {','.join(sorted(inputs))}"
            )


def _check_cell(value: Any, alias: str, inputs: Inputs, shapes: dict[str, tuple[int, ...]]) -> None:
    if alias not in inputs:
        raise invalid(f"JSON object: does not have named input: {alias}")
    shape = check_tensor(value, inputs[alias].dtype, alias)
    expected = shapes.setdefault(alias, shape)
    if prod(shape) != prod(expected):
        raise invalid(f"Expecting tensor size: {prod(expected)} but got: {prod(shape)}")
    if shape != expected:
        raise invalid(f"Expecting shape {_text(expected)} but got: {_text(shape)}")


def _text(shape: tuple[int, ...]) -> str:
    return f"[{','.join(map(str, shape))}]"
