"""What TensorFlow Transform did to raw features, in NumPy.

``preprocessing.json`` is a list of steps. Each has an operation, attributes, and the numbers of
earlier steps whose results it takes. They are compiled once to functions, which work on one row
as on many.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .errors import EdgeError
from .features import DTYPES, Features
from .operations import OPERATIONS, Array

FORMAT = 1

#: Fills in one result, given those of earlier steps.
Step = Callable[[list[Any]], Array]


class Preprocessing:
    """A compiled preprocessing.

    Attributes:
        features: The raw features that it takes.

    Args:
        spec: Content of ``preprocessing.json``.

    Raises:
        EdgeError: it is of another format.
    """

    def __init__(self, spec: Mapping[str, Any]) -> None:
        if spec.get("format") != FORMAT:
            raise EdgeError(
                f"This preprocessing has format {spec.get('format')!r}; {FORMAT} is understood.",
                fix="Use the headrace_edge package that came with the bundle.",
            )
        inputs = spec["inputs"]
        self.features = Features(
            {name: one["dtype"] for name, one in inputs.items()},
            required=[name for name, one in inputs.items() if not one["optional"]],
        )
        self._outputs: dict[str, int] = dict(spec["outputs"])
        self._start: list[Any] = [None] * len(spec["steps"])
        self._reads: list[tuple[int, list[str], np.dtype[Any]]] = []
        self._steps: list[tuple[int, Step]] = []
        for place, step in enumerate(spec["steps"]):
            self._add(place, step)

    @classmethod
    def load(cls, path: str | Path) -> Preprocessing:
        """Reads ``preprocessing.json``."""
        return cls(json.loads(Path(path).read_text(encoding="utf-8")))

    def transform(self, columns: Mapping[str, Any]) -> dict[str, Array]:
        """Transforms many rows.

        Args:
            columns: Raw feature to an array or a list of shape ``[rows]``; ``None`` is missing.

        Returns:
            Transformed feature to an array whose first dimension is the rows.

        Raises:
            EdgeError: a feature is unknown, absent or of a wrong type.
        """
        arrays, rows = self.features.columns(columns)
        return self.run(arrays, rows)

    def transform_row(self, row: Mapping[str, Any]) -> dict[str, Array]:
        """Transforms one row, faster than as columns of one row; raises the same."""
        return self.run(self.features.row(row), 1)

    def _add(self, place: int, step: Mapping[str, Any]) -> None:
        attributes = dict(step)
        name = attributes.pop("op")
        if name == "constant":
            self._start[place] = decode(**attributes)
        elif name == "columns":
            dtype = DTYPES[attributes["dtype"]]
            self._reads.append((place, attributes["features"], dtype))
        elif name in OPERATIONS:
            sources = attributes.pop("inputs")
            self._steps.append((place, _call(OPERATIONS[name](**attributes), sources)))
        else:
            raise EdgeError(
                f"This package does not know the operation {name!r} of the preprocessing.",
                fix="Use the headrace_edge package that came with the bundle.",
            )

    def run(self, values: Mapping[str, Any], rows: int) -> dict[str, Array]:
        """Transforms what ``features`` has checked: single values, or columns, of ``rows`` rows."""
        results = self._start.copy()
        for place, names, dtype in self._reads:
            block = np.empty((rows, len(names)), dtype)
            for column, name in enumerate(names):
                block[:, column] = values[name]
            results[place] = block
        with np.errstate(all="ignore"):  # NaN and infinity pass, as in TensorFlow
            for place, step in self._steps:
                results[place] = step(results)
        return {name: results[place] for name, place in self._outputs.items()}


def decode(dtype: str, shape: list[int], values: list[Any]) -> Array:
    """A constant: JSON has no NaN and no infinity, so these are texts."""
    array = np.empty(len(values), DTYPES[dtype])
    array[:] = values if dtype == "string" else [float(v) if type(v) is str else v for v in values]
    return array.reshape(shape)


def _call(function: Callable[..., Array], sources: list[int]) -> Step:
    if len(sources) == 1:
        (one,) = sources
        return lambda results: function(results[one])
    if len(sources) == 2:
        first, second = sources
        return lambda results: function(results[first], results[second])
    return lambda results: function(*[results[source] for source in sources])
