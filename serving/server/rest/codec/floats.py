"""Floating-point numbers as TensorFlow Serving prints them in JSON."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

_SPECIAL = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}
_FULL = {np.dtype(np.float32): "%.9g", np.dtype(np.float64): "%.17g"}


def format_floats(values: npt.NDArray[Any]) -> list[str]:
    """The texts of a flat array of ``float32`` or ``float64``.

    Six significant digits where they read back as the same number, else as many as any number of
    the type needs; ``.0`` where there is neither a point nor an exponent; ``NaN``, ``Infinity``
    and ``-Infinity``, which are not JSON.
    """
    numbers = values.tolist()
    texts = _format("%g", numbers)
    # Six digits that are read as a double and then rounded give the float that they stand for:
    # true of all of them, so that no decimal reader for single precision is needed.
    read_back = np.fromiter(map(float, texts), np.float64, len(texts)).astype(values.dtype)
    inexact = (read_back != values).nonzero()[0].tolist()
    full = _format(_FULL[values.dtype], [numbers[index] for index in inexact])
    for index, text in zip(inexact, full, strict=True):
        texts[index] = text
    return [text if "." in text or "e" in text else _completed(text) for text in texts]


def _format(pattern: str, numbers: list[float]) -> list[str]:
    # One call of the formatter costs a fraction of one call per number.
    return (f"{pattern} " * len(numbers) % tuple(numbers)).split()


def _completed(text: str) -> str:
    return _SPECIAL.get(text) or text + ".0"
