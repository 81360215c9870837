"""Raw features as a caller gives them, checked and brought to the types that the model takes.

A missing value is ``None``; inside it is NaN, the smallest 64-bit integer or an empty text, which
callers may also give themselves.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from .errors import EdgeError

MISSING: dict[str, Any] = {"float32": math.nan, "int64": -(2**63), "string": ""}
KINDS = {"float32": "a number", "int64": "a whole number", "string": "a text"}
DTYPES: dict[str, Any] = {
    "float32": np.dtype(np.float32),
    "int64": np.dtype(np.int64),
    "string": np.dtype(object),
    "bool": np.dtype(np.bool_),
    "int32": np.dtype(np.int32),
    "float64": np.dtype(np.float64),
}


class Features:
    """The raw features of a model.

    Attributes:
        dtypes: Feature to ``float32``, ``int64`` or ``string``.

    Args:
        dtypes: The same.
        required: Features that must not be missing.
    """

    def __init__(self, dtypes: Mapping[str, str], required: Iterable[str] = ()) -> None:
        self.dtypes = dict(dtypes)
        self._required = frozenset(required)

    def row(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """One row: feature to ``float``, ``int`` or ``str``.

        Raises:
            EdgeError: a feature is unknown or absent, or its value is of a wrong type.
        """
        if given.keys() != self.dtypes.keys():
            self._complain_of_names(given)
        return {name: self._value(name, dtype, given[name]) for name, dtype in self.dtypes.items()}

    def columns(self, given: Mapping[str, Any]) -> tuple[dict[str, np.ndarray], int]:
        """Columns as arrays of shape ``[rows]``, and the number of rows.

        Args:
            given: Feature to an array or a list of shape ``[rows]`` or ``[rows, 1]``.

        Raises:
            EdgeError: a feature is unknown or absent, a value is of a wrong type, or columns
                differ in length.
        """
        if given.keys() != self.dtypes.keys():
            self._complain_of_names(given)
        arrays = {
            name: self._column(name, dtype, given[name]) for name, dtype in self.dtypes.items()
        }
        lengths = {name: len(array) for name, array in arrays.items()}
        rows = next(iter(lengths.values()), 0)
        for name, length in lengths.items():
            if length != rows:
                first = next(iter(lengths))
                raise EdgeError(
                    f"Column {name!r} has {length} rows, column {first!r} has {rows}.",
                    fix="Give columns of one length.",
                )
        return arrays, rows

    def _value(self, name: str, dtype: str, value: Any) -> Any:
        kind = type(value)
        if dtype == "float32" and (kind is float or kind is int):
            return value
        if dtype == "int64" and kind is int and -(2**63) <= value < 2**63:
            return value
        if dtype == "string" and kind is str:
            return value
        return self._unusual(name, dtype, value)

    def _unusual(self, name: str, dtype: str, value: Any) -> Any:
        """A value that is missing, or of a type that comes from NumPy or bytes."""
        if value is None and name not in self._required:
            return MISSING[dtype]
        if isinstance(value, np.generic):
            return self._value(name, dtype, value.item())
        if dtype == "string" and isinstance(value, bytes):
            return value.decode("utf-8", "surrogateescape")
        if value is None:
            raise EdgeError(
                f"Feature {name!r} is missing, and this model always needs it.",
                fix=f"Give {KINDS[dtype]}: {name!r} was never missing in training.",
            )
        raise EdgeError(
            f"Feature {name!r} takes {KINDS[dtype]}; got {value!r:.60} ({type(value).__name__}).",
            fix="Convert it before you ask"
            + (", or give None where it is unknown." if name not in self._required else "."),
        )

    def _column(self, name: str, dtype: str, values: Any) -> np.ndarray:
        array = np.asarray(values)
        if array.ndim == 2 and array.shape[1] == 1:
            array = array[:, 0]
        if array.ndim != 1:
            raise EdgeError(
                f"Column {name!r} has shape {list(array.shape)}; [rows] is needed.",
                fix="Give one value per row.",
            )
        fits = {"float32": "fiu", "int64": "iu"}.get(dtype, "")
        if array.dtype.kind in fits and array.dtype != np.uint64:
            return array.astype(DTYPES[dtype], copy=False)
        result = np.empty(len(array), DTYPES[dtype])
        result[:] = [self._value(name, dtype, value) for value in array.tolist()]
        return result

    def _complain_of_names(self, given: Mapping[str, Any]) -> None:
        for name in given:
            if name not in self.dtypes:
                raise EdgeError(
                    f"The model has no feature {name!r}.",
                    fix=f"It takes {', '.join(sorted(self.dtypes))}.",
                )
        absent = sorted(self.dtypes.keys() - given.keys())
        raise EdgeError(
            f"The model also takes {', '.join(absent)}.",
            fix="Give a value for each; None where it is unknown.",
        )
