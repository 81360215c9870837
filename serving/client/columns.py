"""Rows of plain values as the named tensors that a signature takes, and answers as rows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from headrace.components.shared.signatures import MISSING_INT, MISSING_TEXT
from headrace.components.shared.text import nearest
from headrace.serving.client.model import Prediction, Signature, TensorSpec
from headrace.serving.gateway.errors import InvalidRequestError
from headrace.serving.gateway.tensor_protos import Array

Row = Mapping[str, Any]


def columns_of(rows: Sequence[Row], signature: Signature) -> dict[str, Array]:
    """One array per input, with the rows along its first axis.

    None is a missing value and travels as pushed models take it: NaN, the smallest 64-bit integer
    or an empty text.

    Raises:
        InvalidRequestError: a row lacks an input, has an unknown one or one of a wrong type.
    """
    for number, row in enumerate(rows):
        for name in row:
            if name not in signature.inputs:
                raise InvalidRequestError(
                    f"Row {number} has {name!r}, which the model does not take.",
                    fix=nearest(name, signature.inputs),
                )
        if lost := [name for name in signature.inputs if name not in row]:
            raise InvalidRequestError(
                f"Row {number} lacks {', '.join(map(repr, lost))}.",
                fix="Send null for a missing value.",
            )
    return {
        name: _column(name, [row[name] for row in rows], spec)
        for name, spec in signature.inputs.items()
    }


def rows_of(prediction: Prediction, rows: int) -> list[dict[str, Any]]:
    """The answer as one dictionary of plain values per row.

    Args:
        prediction: The answer.
        rows: How many rows were asked; an output that is not one per row is in each of them.
    """
    columns = {
        name: _plain(array) if array.shape[:1] == (rows,) else [_plain(array)] * rows
        for name, array in prediction.outputs.items()
    }
    return [{name: values[row] for name, values in columns.items()} for row in range(rows)]


def _column(name: str, values: list[Any], spec: TensorSpec) -> Array:
    if None in values:
        missing = _missing(name, spec.dtype)
        values = [missing if value is None else value for value in values]
    wrong = _wrong(values, spec.dtype)
    if wrong is None:
        try:
            return np.array(values, spec.dtype)
        except (ValueError, TypeError, OverflowError):
            wrong = values
    kind = "text" if spec.dtype.kind == "O" else spec.dtype
    raise InvalidRequestError(
        f"{name!r} is {wrong!r:.80}, and the model takes {kind}.",
        fix="Send values of that type, of one shape in all rows.",
    )


def _missing(name: str, dtype: np.dtype[Any]) -> Any:
    if dtype.kind == "O":
        return MISSING_TEXT
    if dtype.kind == "f":
        return math.nan
    if dtype == np.int64:
        return MISSING_INT
    raise InvalidRequestError(
        f"{name!r} is {dtype}, for which there is no missing value.", fix="Send a value."
    )


def _wrong(values: list[Any], dtype: np.dtype[Any]) -> Any:
    """The first value that NumPy would turn into something else than was meant."""
    for value in values:
        if isinstance(value, list):
            found = _wrong(value, dtype)
            if found is not None:
                return found
        elif not _fits(value, dtype):
            return value
    return None


def _fits(value: Any, dtype: np.dtype[Any]) -> bool:
    if dtype.kind == "O":
        return isinstance(value, str | bytes)
    if dtype == np.bool_:
        return isinstance(value, bool)
    if isinstance(value, float):
        return dtype.kind == "f"
    return isinstance(value, int) and not isinstance(value, bool)


def _plain(array: Array) -> Any:
    if array.dtype.kind == "O":
        texts = [v.decode("utf-8", "replace") if isinstance(v, bytes) else v for v in array.flat]
        decoded = np.empty(array.size, object)
        decoded[:] = texts
        array = decoded.reshape(array.shape)
    return array.tolist()
