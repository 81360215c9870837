"""Entity keys as Feast writes them (``entity_key_serialization_version: 3``).

A key is: the number of join keys; each join key's name; each value with its type and length; names
sorted, integers little-endian. In Redis the project's name follows.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from feast.type_map import feast_value_type_to_python_type, python_values_to_proto_values
from feast.value_type import ValueType

from headrace.feature_store.online.errors import FeatureRequestError

#: Values as the encoders take them, and as the answer repeats them.
Converter = Callable[[Sequence[Any]], tuple[Sequence[Any], list[Any]]]

_U32 = struct.Struct("<I").pack


def _sized(kind: ValueType, raw: Callable[[Any], bytes]) -> Callable[[Any], bytes]:
    head = _U32(kind.value)

    def encode(value: Any) -> bytes:
        data = raw(value)
        return head + _U32(len(data)) + data

    return encode


def _integer(kind: ValueType, pack: str) -> Callable[[int], bytes]:
    head = _U32(kind.value) + _U32(struct.calcsize(pack))
    packer = struct.Struct(f"<{len(head)}s{pack}").pack
    return lambda value: packer(head, value)


_text = _sized(ValueType.STRING, str.encode)


#: How a value of each type goes into a key; other types cannot be keys in Feast.
ENCODERS: Mapping[ValueType, Callable[[Any], bytes]] = {
    ValueType.STRING: _text,
    ValueType.BYTES: _sized(ValueType.BYTES, lambda value: value),
    ValueType.INT32: _integer(ValueType.INT32, "i"),
    ValueType.INT64: _integer(ValueType.INT64, "q"),
    ValueType.UNIX_TIMESTAMP: _integer(ValueType.UNIX_TIMESTAMP, "q"),
}

#: Values of exactly these Python types need no conversion.
_PLAIN: Mapping[ValueType, set[type]] = {
    ValueType.STRING: {str},
    ValueType.BYTES: {bytes},
    ValueType.INT32: {int},
    ValueType.INT64: {int},
}


def head(names: Sequence[str]) -> bytes:
    """The first part of a key: how many join keys and their names."""
    encoded = (_text(name) for name in sorted(names))
    return _U32(len(names)) + b"".join(encoded)


def converter(name: str, kind: ValueType) -> Converter:
    """What turns values of a join key into those that the encoders take, and those to repeat.

    Whatever is not already of the exact type is converted by Feast's own function, so that it
    means the same here and there.
    """
    plain = _PLAIN.get(kind)

    def convert(values: Sequence[Any]) -> tuple[Sequence[Any], list[Any]]:
        if {*map(type, values)} == plain:
            return values, list(values)
        return _converted(name, kind, values)

    return convert


def _converted(
    name: str, kind: ValueType, values: Sequence[Any]
) -> tuple[Sequence[Any], list[Any]]:
    try:
        protos = python_values_to_proto_values(list(values), kind)
    except Exception as error:
        raise _unusable(name, kind, values) from error
    if any(proto.WhichOneof("val") is None for proto in protos):
        raise _unusable(name, kind, values)
    raw = [getattr(proto, str(proto.WhichOneof("val"))) for proto in protos]
    return raw, [feast_value_type_to_python_type(proto) for proto in protos]


class KeyEncoder:
    """Encodes the keys of one combination of join keys."""

    def __init__(self, kinds: Mapping[str, ValueType], tail: bytes) -> None:
        """Prepares the parts that are the same for every key.

        Args:
            kinds: The join keys with their types.
            tail: What the store puts behind each key.
        """
        self.names = sorted(kinds)
        self._kinds = [kinds[name] for name in self.names]
        self._head = head(self.names)
        self._tail = tail
        self._encoders = [ENCODERS[kind] for kind in self._kinds]

    def encode(self, columns: Sequence[Sequence[Any]]) -> tuple[list[bytes], list[int] | None]:
        """Different keys in the order of their appearance, and which one each row has.

        The second is None when every row has its own key.

        Args:
            columns: Converted values, one column per join key in the order of ``names``.
        """
        rows = columns[0] if len(columns) == 1 else list(zip(*columns, strict=True))
        unique = dict.fromkeys(rows) if len(rows) > 1 else rows
        try:
            keys = self.each(unique, composite=len(columns) > 1)
        except (struct.error, UnicodeError) as error:
            name, kind = ", ".join(self.names), self._kinds[0]
            raise _unusable(name, kind, list(unique)) from error
        if len(keys) == len(rows):
            return keys, None  # each row has its own key
        place = {value: index for index, value in enumerate(unique)}
        return keys, [place[value] for value in rows]

    def each(self, rows: Any, *, composite: bool) -> list[bytes]:
        """The key of each row: a value, or a tuple of values when ``composite``."""
        first, tail = self._head, self._tail
        if not composite:
            encoder = self._encoders[0]
            return [first + encoder(value) + tail for value in rows]
        encoders = self._encoders
        return [
            first + b"".join([e(v) for e, v in zip(encoders, row, strict=True)]) + tail
            for row in rows
        ]


def _unusable(name: str, kind: ValueType, values: Sequence[Any]) -> FeatureRequestError:
    shown = ", ".join(repr(value) for value in list(values)[:3])
    return FeatureRequestError(
        f"Join key {name!r} must hold {kind.name} values, but got {shown}.",
        fix="Give one value of that type per row; nulls have no features.",
    )
