"""A JSON reader with the rules, error texts and offsets of RapidJSON 1.1 in TensorFlow Serving.

It has no recursion, so nesting may be as deep as the document is long. Of repeated keys the first
counts.
"""

from __future__ import annotations

import math
import re
from typing import Any, NoReturn

from headrace.serving.server.errors import Code, ServingError

_VALUE = "Invalid value."
_NAME = "Missing a name for object member."
_COLON = "Missing a colon after a name of object member."
_AFTER_MEMBER = "Missing a comma or '}' after an object member."
_AFTER_ELEMENT = "Missing a comma or ']' after an array element."
_EMPTY = "The document is empty."
_TOO_BIG = "Number too big to be stored in double."
_SURROGATE = "The surrogate pair in string is invalid."

_BOM = b"\xef\xbb\xbf"
_SPACE = re.compile(rb"[ \t\n\r]*")
_PLAIN_TEXT = re.compile(rb'[^"\\\x00-\x1f]*')
_INTEGER = re.compile(rb"-?(?:0|[1-9][0-9]*)")
_DIGITS = re.compile(rb"[0-9]+")
_EXPONENT = re.compile(rb"[eE][+-]?")
_HEX4 = re.compile(rb"[0-9a-fA-F]{4}")
_ESCAPES = {b'"': b'"', b"\\": b"\\", b"/": b"/", b"b": b"\b", b"f": b"\f", b"n": b"\n"}
_ESCAPES |= {b"r": b"\r", b"t": b"\t"}
_LITERALS = {b"n": (b"null", None), b"t": (b"true", True), b"f": (b"false", False)}
_NO_VALUE = b"}],:\0"
_INT64_MIN, _UINT64_MAX = -(2**63), 2**64 - 1
_LONGEST = len(str(_UINT64_MAX))


def read(data: bytes) -> Any:
    """The first value in ``data``; what follows it does not matter.

    Raises:
        ServingError: INVALID_ARGUMENT, with the offset in bytes.
    """
    return _Reader(data).read()


class _Reader:
    """Where the reading is, and the objects and lists that are open there."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = len(_BOM) if data.startswith(_BOM) else 0
        self._open: list[Any] = []

    def read(self) -> Any:
        root = self._value(_EMPTY)
        while self._open:
            container = self._open[-1]
            if type(container) is dict:
                self._member(container)
            else:
                self._element(container)
        return root

    def _element(self, container: list[Any]) -> None:
        if not self._closes(container, b"]", _AFTER_ELEMENT):
            container.append(self._value(_VALUE))

    def _member(self, container: dict[str, Any]) -> None:
        if self._closes(container, b"}", _AFTER_MEMBER):
            return
        if self._next() != b'"':
            self._fail(_NAME)
        key = self._text()
        if self._next() != b":":
            self._fail(_COLON)
        self._at += 1
        value = self._value(_VALUE)
        container.setdefault(key, value)

    def _closes(self, container: Any, bracket: bytes, otherwise: str) -> bool:
        """Closes the container, or goes on to its next element."""
        following = self._next()
        if following == bracket:
            self._open.pop()
        elif container and following != b",":
            self._fail(otherwise)
        elif not container:
            return False
        self._at += 1
        return following == bracket

    def _value(self, when_none: str) -> Any:
        """A value, or the beginning of an object or list, which then is open."""
        first = self._next()
        if first in _NO_VALUE:
            self._fail(when_none)
        if first == b'"':
            return self._text()
        if first in b"[{":
            self._at += 1
            self._open.append([] if first == b"[" else {})
            return self._open[-1]
        if first in _LITERALS:
            text, value = _LITERALS[first]
            self._literal(text)
            return value
        return self._number()

    def _literal(self, text: bytes) -> None:
        for index in range(len(text)):
            if not self._take(text[index : index + 1]):
                self._fail(_VALUE)

    def _number(self) -> int | float:
        start = self._at
        integer = _INTEGER.match(self._data, start)
        if integer is None:
            return self._no_finite_number()
        self._at = integer.end()
        whole = True
        if self._take(b"."):
            self._digits("Miss fraction part in number.")
            whole = False
        exponent = _EXPONENT.match(self._data, self._at)
        if exponent is not None:
            self._at = exponent.end()
            self._digits("Miss exponent in number.")
            whole = False
        text = self._data[start : self._at]
        # No integer of more characters fits 64 bits, and Python refuses to read very long ones.
        if whole and len(text) <= _LONGEST and _INT64_MIN <= int(text) <= _UINT64_MAX:
            return int(text)
        value = float(text)
        if math.isinf(value):
            self._fail(_TOO_BIG, start)
        return value

    def _digits(self, otherwise: str) -> None:
        digits = _DIGITS.match(self._data, self._at)
        if digits is None:
            self._fail(otherwise)
        self._at = digits.end()

    def _no_finite_number(self) -> float:
        negative = self._take(b"-")
        if self._data.startswith(b"N", self._at):
            self._literal(b"NaN")
            return math.nan
        self._literal(b"Inf")
        if self._data.startswith(b"i", self._at):
            self._literal(b"inity")
        return -math.inf if negative else math.inf

    def _text(self) -> str:
        self._at += 1
        pieces = []
        while True:
            plain = _PLAIN_TEXT.match(self._data, self._at)
            pieces.append(plain[0])  # type: ignore[index]
            self._at = plain.end()  # type: ignore[union-attr]
            following = self._data[self._at : self._at + 1]
            if following == b"\\":
                pieces.append(self._escape())
            elif self._take(b'"'):
                return b"".join(pieces).decode(errors="surrogateescape")
            elif following in (b"", b"\0"):
                self._fail("Missing a closing quotation mark in string.")
            else:
                self._fail("Invalid escape character in string.")

    def _escape(self) -> bytes:
        start = self._at
        letter = self._data[start + 1 : start + 2]
        self._at += 2
        if letter in _ESCAPES:
            return _ESCAPES[letter]
        if letter != b"u":
            self._fail("Invalid escape character in string.", start)
        unit = self._hex4(start)
        if 0xD800 <= unit <= 0xDBFF:
            if not self._take(b"\\u"):
                self._fail(_SURROGATE, start)
            low = self._hex4(start)
            if not 0xDC00 <= low <= 0xDFFF:
                self._fail(_SURROGATE, start)
            unit = 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00)
        return chr(unit).encode(errors="surrogatepass")

    def _hex4(self, start: int) -> int:
        found = _HEX4.match(self._data, self._at)
        if found is None:
            self._fail("Incorrect hex digit after \\u escape in string.", start)
        self._at = found.end()
        return int(found[0], 16)

    def _next(self) -> bytes:
        """The next byte that is no space; a zero byte, which ends a document, at the end."""
        following = self._data[self._at : self._at + 1]
        if following in b" \t\n\r":
            self._at = _SPACE.match(self._data, self._at).end()  # type: ignore[union-attr]
            following = self._data[self._at : self._at + 1]
        return following or b"\0"

    def _take(self, expected: bytes) -> bool:
        if self._data.startswith(expected, self._at):
            self._at += len(expected)
            return True
        return False

    def _fail(self, text: str, at: int | None = None) -> NoReturn:
        offset = self._at if at is None else at
        raise ServingError(Code.INVALID_ARGUMENT, f"JSON Parse error: {text} at offset: {offset}")
