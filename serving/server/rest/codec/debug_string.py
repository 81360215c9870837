"""JSON values as TensorFlow Serving's error texts show them, cut after some 256 characters."""

from __future__ import annotations

import contextlib
import math
from json.encoder import encode_basestring
from typing import Any

import orjson

_LIMIT = 256
_INDENT = 4 * " "


class _Full(Exception):
    """Enough has been written."""


class _Writer:
    """Objects over several lines, lists on one."""

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self._left = _LIMIT

    def write(self, value: Any, depth: int) -> None:
        if self._left <= 0:
            raise _Full
        if type(value) is list:
            self._put("[")
            for index, element in enumerate(value):
                self._check()
                self._put(", " if index else "")
                self.write(element, depth + 1)
            self._check()
            self._put("]")
        elif type(value) is dict:
            self._object(value, depth + 1)
        else:
            self._put(_scalar(value))

    def _object(self, value: dict[str, Any], depth: int) -> None:
        self._put("{")
        for index, (key, element) in enumerate(value.items()):
            self._check()
            self._put((",\n" if index else "\n") + depth * _INDENT + encode_basestring(key))
            self._check()
            self._put(": ")
            self.write(element, depth)
        self._check()
        self._put("\n" + (depth - 1) * _INDENT + "}" if value else "}")

    def _check(self) -> None:
        if self._left <= 0:
            raise _Full

    def _put(self, text: str) -> None:
        self.pieces.append(text)
        self._left -= len(text.encode(errors="surrogateescape"))


def _scalar(value: Any) -> str:
    if type(value) is str:
        return encode_basestring(value)
    if type(value) is float and not math.isfinite(value):
        raise _Full
    return orjson.dumps(value).decode()


def debug_string(value: Any) -> str:
    """The beginning of a JSON value, for an error text."""
    writer = _Writer()
    with contextlib.suppress(_Full):
        writer.write(value, 0)
    return "".join(writer.pieces)
