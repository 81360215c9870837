"""Decoding what Feast stores: one protobuf ``Value`` per feature, one ``Timestamp`` per view.

Scalars are taken straight from the wire format, twice as fast as through protobuf objects: a tag
byte (field number and wire type), then the payload. A decoder takes only bytes that look exactly as
expected; all others (lists, maps, another type than declared, unknown fields) go through Feast's
own conversion, so nothing is ever guessed.
"""

from __future__ import annotations

import datetime as dt
import functools
import struct
from collections.abc import Callable, Mapping
from typing import Any

from feast.protos.feast.types.Value_pb2 import Value
from feast.type_map import feast_value_type_to_python_type
from feast.value_type import ValueType
from google.protobuf.timestamp_pb2 import Timestamp

Decoder = Callable[[bytes | None], Any]

#: Feast's mark for a missing time inside a column of times.
NULL_TIMESTAMP = -(1 << 63)

_MORE = 0x80
_SIGN = 1 << 63
#: Bytes that a number of 63 bits, so not a negative one, takes at most with its tag.
_LONGEST = 10
#: What the marks that more bytes follow add up to, by how many there are.
_MARKS = [sum(_MORE << 7 * place for place in range(count)) for count in range(_LONGEST)]


def _tag(field: str) -> int:
    """The first byte of a ``Value`` that holds ``field``."""
    descriptor = Value.DESCRIPTOR.fields_by_name[field]
    wire = {
        descriptor.TYPE_FLOAT: 5,
        descriptor.TYPE_DOUBLE: 1,
        descriptor.TYPE_STRING: 2,
        descriptor.TYPE_BYTES: 2,
    }.get(descriptor.type, 0)
    return int(descriptor.number << 3 | wire)


def tag(field: str) -> bytes:
    """The same as bytes, for encoding."""
    return bytes([_tag(field)])


def varint(data: bytes, start: int) -> tuple[int, int]:
    """The signed 64-bit number at ``start`` and the position behind it.

    Raises:
        IndexError: When the data end within the number.
    """
    result = shift = 0
    while True:
        byte = data[start]
        start += 1
        result |= (byte & 0x7F) << shift
        if byte < _MORE:
            result &= (1 << 64) - 1
            return (result - (1 << 64) if result & _SIGN else result), start
        shift += 7


def general(data: bytes | None, kind: ValueType | None = None) -> Any:
    """Decodes anything the way Feast does."""
    if not data:
        return None
    return feast_value_type_to_python_type(Value.FromString(data), kind)


def _fixed(field: str, layout: str) -> Decoder:
    expected, size = _tag(field), struct.calcsize(f"<x{layout}")
    unpack = struct.Struct(f"<x{layout}").unpack

    def decode(data: bytes | None) -> Any:
        if data and data[0] == expected and len(data) == size:
            return unpack(data)[0]
        return general(data)

    return decode


def _number(field: str, finish: Callable[[int], Any] | None = None) -> Decoder:
    expected = _tag(field)

    def decode(data: bytes | None) -> Any:
        if not data or data[0] != expected or not 2 <= len(data) <= _LONGEST or data[-1] >= _MORE:
            return general(data)
        value, rest = data[-1], data[-2:0:-1]
        if rest:
            if min(rest) < _MORE:  # the number ends before the data do
                return general(data)
            for byte in rest:
                value = (value << 7) + byte
            value -= _MARKS[len(rest)]
        return value if finish is None else finish(value)

    return decode


def _sized(field: str, finish: Callable[[bytes], Any]) -> Decoder:
    expected = _tag(field)

    def decode(data: bytes | None) -> Any:
        if not data or data[0] != expected:
            return general(data)
        size = data[1]
        start = 2
        if size >= _MORE:
            size, start = varint(data, 1)
        return finish(data[start:]) if start + size == len(data) else general(data)

    return decode


def _moment(seconds: int) -> dt.datetime | None:
    if seconds == NULL_TIMESTAMP:
        return None
    return dt.datetime.fromtimestamp(seconds, tz=dt.UTC)


_DECODERS: Mapping[ValueType, Decoder] = {
    ValueType.FLOAT: _fixed("float_val", "f"),
    ValueType.DOUBLE: _fixed("double_val", "d"),
    ValueType.INT32: _number("int32_val"),
    ValueType.INT64: _number("int64_val"),
    ValueType.BOOL: _number("bool_val", bool),
    ValueType.UNIX_TIMESTAMP: _number("unix_timestamp_val", _moment),
    ValueType.STRING: _sized("string_val", bytes.decode),
    ValueType.BYTES: _sized("bytes_val", bytes),
}


def decoder(kind: ValueType) -> Decoder:
    """The decoder for features that are declared to be of ``kind``."""
    return _DECODERS.get(kind) or functools.partial(general, kind=kind)


def microseconds(data: bytes) -> int:
    """A stored ``Timestamp`` as microseconds since 1970."""
    moment = Timestamp.FromString(data)
    result: int = moment.seconds * 1_000_000 + moment.nanos // 1000
    return result
