"""Encoding columns as Feast stores them: one protobuf ``Value`` per cell, the same bytes.

Plain columns are encoded with numpy, a column at a time. All else (lists, maps, decimals, columns
of another type than declared) goes through Feast's own conversion.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from feast.type_map import python_values_to_proto_values
from feast.value_type import ValueType

from headrace.components.shared.errors import DataError
from headrace.feature_store.online.codec import tag

_VARINT = 10  # bytes that a 64-bit number takes at most
_MICRO = 1_000_000


def varints(numbers: Any) -> list[bytes]:
    """Each number of an int64 array in protobuf's variable-length form."""
    rest = numbers.astype(np.int64).view(np.uint64)
    table = np.zeros((len(rest), _VARINT), np.uint8)
    sizes = np.ones(len(rest), np.int64)
    for place in range(_VARINT):
        table[:, place] = rest & np.uint64(0x7F)
        rest = rest >> np.uint64(7)
        more = rest > 0
        if not more.any():
            break
        table[more, place] |= 0x80
        sizes[more] = place + 2
    cells = table.view(f"V{_VARINT}").ravel().tolist()
    return [cell[:size] for cell, size in zip(cells, sizes.tolist(), strict=True)]


def timestamps(microseconds: Any) -> list[bytes]:
    """Event timestamps as protobuf ``Timestamp``: seconds and nanoseconds, zeros left out."""
    seconds, rest = np.divmod(microseconds, _MICRO)
    return [
        (b"\x08" + left if whole else b"") + (b"\x10" + right if part else b"")
        for whole, left, part, right in zip(
            seconds.tolist(),
            varints(seconds),
            rest.tolist(),
            varints(rest * 1000),
            strict=True,
        )
    ]


def values(name: str, column: pa.Array, kind: ValueType) -> list[bytes]:
    """The serialised ``Value`` of each cell; empty for a null.

    Raises:
        DataError: The column cannot hold values of ``kind``.
    """
    encode = _ENCODERS.get(kind)
    try:
        cells = encode(column) if encode is not None else None
        return cells if cells is not None else _by_feast(column, kind)
    except (TypeError, ValueError, AssertionError, OverflowError, pa.ArrowException) as error:
        raise DataError(
            f"Column {name!r} of type {column.type} cannot be written as {kind.name}: {error}",
            fix="Cast it to the type that the feature view's schema declares, or change that.",
        ) from error


def integers(column: pa.Array, kind: ValueType) -> Any:
    """A column without nulls as int64, within the limits of ``kind``."""
    bits = pa.int32() if kind is ValueType.INT32 else pa.int64()
    return column.cast(bits).cast(pa.int64()).to_numpy(zero_copy_only=False)


def seconds(column: pa.Array) -> Any:
    """A column of times as whole seconds, with Feast's mark for nulls."""
    moments = column.to_numpy(zero_copy_only=False).astype("datetime64[s]")
    return moments.astype(np.int64)


def _by_feast(column: pa.Array, kind: ValueType) -> list[bytes]:
    cells = python_values_to_proto_values(column.to_numpy(zero_copy_only=False), kind)
    return [cell.SerializeToString() for cell in cells]


def _blank(cells: list[bytes], missing: Any) -> list[bytes]:
    for place in np.flatnonzero(missing).tolist():
        cells[place] = b""
    return cells


def _nulls(column: pa.Array) -> Any:
    return column.is_null(nan_is_null=True).to_numpy(zero_copy_only=False)


def _floats(field: str, layout: str) -> Callable[[pa.Array], list[bytes] | None]:
    mark, size = tag(field), np.dtype(layout).itemsize

    def encode(column: pa.Array) -> list[bytes] | None:
        if not (pa.types.is_floating(column.type) or pa.types.is_integer(column.type)):
            return None
        numbers = column.to_numpy(zero_copy_only=False).astype(layout)
        table = np.empty((len(numbers), size + 1), np.uint8)
        table[:, 0] = mark[0]
        table[:, 1:] = numbers.view(np.uint8).reshape(-1, size)
        cells = table.view(f"V{size + 1}").ravel().tolist()
        return _blank(cells, _nulls(column))

    return encode


def _integers(field: str, kind: ValueType) -> Callable[[pa.Array], list[bytes] | None]:
    mark = tag(field)

    def encode(column: pa.Array) -> list[bytes] | None:
        if not pa.types.is_integer(column.type):
            return None
        numbers = integers(pc.fill_null(column, 0), kind)
        return _blank([mark + number for number in varints(numbers)], _nulls(column))

    return encode


def _booleans(column: pa.Array) -> list[bytes] | None:
    if not pa.types.is_boolean(column.type):
        return None
    mark = tag("bool_val")
    cells = {True: mark + b"\x01", False: mark + b"\x00", None: b""}
    return [cells[cell] for cell in column.to_pylist()]


def _texts(column: pa.Array) -> list[bytes] | None:
    if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
        return None
    return _sized("string_val", column.cast(pa.large_binary()))


def _binaries(column: pa.Array) -> list[bytes] | None:
    if not (pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type)):
        return None
    return _sized("bytes_val", column)


def _sized(field: str, column: pa.Array) -> list[bytes]:
    mark = tag(field)
    sizes = pc.fill_null(pc.binary_length(column), 0).to_numpy(zero_copy_only=False)
    return [
        b"" if cell is None else mark + size + cell
        for size, cell in zip(varints(sizes), column.to_pylist(), strict=True)
    ]


def _moments(column: pa.Array) -> list[bytes] | None:
    if not pa.types.is_timestamp(column.type):
        return None
    if column.null_count == len(column):
        return None
    mark = tag("unix_timestamp_val")
    return [mark + number for number in varints(seconds(column))]


_ENCODERS: Mapping[ValueType, Callable[[pa.Array], list[bytes] | None]] = {
    ValueType.FLOAT: _floats("float_val", "<f4"),
    ValueType.DOUBLE: _floats("double_val", "<f8"),
    ValueType.INT32: _integers("int32_val", ValueType.INT32),
    ValueType.INT64: _integers("int64_val", ValueType.INT64),
    ValueType.BOOL: _booleans,
    ValueType.STRING: _texts,
    ValueType.BYTES: _binaries,
    ValueType.UNIX_TIMESTAMP: _moments,
}
