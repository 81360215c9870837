"""Text that repeats: each distinct string once and, for each row, its number."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa

#: Rows that a distinct string needs at least, so that numbers are worth their while.
_ROWS = 10


def repeated(values: pd.Series[Any]) -> pa.DictionaryArray | None:
    """The distinct strings of a text column and each row's number, if strings repeat.

    Reading a Python string takes Python's lock, and longer than joining its row. Readers of pandas
    make one object of equal strings, so it is enough to tell objects apart and to read each once.

    Args:
        values: A column of a frame.

    Returns:
        Distinct strings, and a number for each row, null for what is missing; None for a column
        that is something else, or whose objects hardly repeat.
    """
    if values.dtype != object:
        return None
    objects = np.ascontiguousarray(values.to_numpy())
    places = _places(objects)
    # Telling many objects apart takes long, so a few of the rows say whether it is worth it.
    few = places[: len(places) // 20]
    if 2 * len(few.unique()) > len(few) + _ROWS:
        return None
    places = places.dictionary_encode()
    if len(places.dictionary) * _ROWS > len(objects):
        return None
    firsts = pl.Series(places.indices).arg_unique().to_numpy()
    try:
        texts = pa.array(objects[firsts], from_pandas=True)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return None
    if not pa.types.is_string(texts.type):
        return None
    # Several objects can be the same string, and missing ones have no number.
    distinct = texts.dictionary_encode()
    numbers = places.indices
    if len(distinct.dictionary) < len(texts):
        numbers = distinct.indices.take(numbers)
    return pa.DictionaryArray.from_arrays(numbers, distinct.dictionary)


def as_enum(column: pa.ChunkedArray, kind: pl.Enum) -> pl.Series:
    """Text kept by number, as polars keeps it."""
    physical = pl.Series(dtype=kind).to_physical().dtype
    return pl.Series(column.combine_chunks().indices).cast(physical).cat.to(kind)


def _places(objects: np.ndarray[Any, Any]) -> pa.Array:
    """Where in memory each object is."""
    addresses = pa.foreign_buffer(objects.ctypes.data, objects.nbytes, base=objects)
    return pa.Array.from_buffers(pa.int64(), len(objects), [None, addresses])
