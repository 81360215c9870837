"""Reads JSON as TensorFlow Serving's parser does: more than JSON allows, and its error texts.

Three readers, of which each takes what the one before cannot be sure of:

- orjson, for plain JSON. It keeps the last of repeated keys; TensorFlow Serving takes the first.
- The standard library's, for ``NaN``, ``Infinity``, repeated keys and text after the document.
- ``exact_reader``, for what is left, errors above all.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any

import orjson

from headrace.serving.server.rest.codec import exact_reader
from headrace.serving.server.rest.codec.debug_string import debug_string
from headrace.serving.server.rest.codec.tensor_errors import invalid

# What the standard library reads otherwise: integers beyond 64 bits, overflow, lone surrogates. The
# least integer of 64 bits is common: it stands for a missing one.
_UNCOMMON = re.compile(
    rb"(?<![0-9.])(?:[0-9]{20}|[0-9]{19}[.eE])"
    rb"|-(?!9223372036854775808(?![0-9.eE]))[0-9]{19}"
    rb"|[eE]\+?[0-9]{3}|\\u[dD]"
)

#: The exact reader takes a second for so many bytes; it must not be a way to keep a server busy.
EXACT_LIMIT = 2**20


def read_object(body: bytes) -> dict[str, Any]:
    """A request's document.

    Bytes that are not UTF-8 become lone surrogates, as ``surrogateescape`` has them.

    Raises:
        ServingError: INVALID_ARGUMENT, not JSON or not an object.
    """
    if not body:
        raise invalid("JSON Parse error: The document is empty")
    document = _read(body)
    if type(document) is not dict:
        raise invalid(f"JSON Value: {debug_string(document)} Is not object")
    return document


def _read(body: bytes) -> Any:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        pass
    else:
        if type(document) is not dict or _keys_are_distinct(body, document):
            return document
    if not _UNCOMMON.search(body):
        try:
            return _DECODER.raw_decode(body.decode().lstrip(" \t\n\r"))[0]
        except (ValueError, RecursionError):
            pass
    if len(body) > EXACT_LIMIT:
        raise invalid(
            f"JSON Parse error: a document of more than {EXACT_LIMIT} bytes must be plain JSON, "
            "with NaN and Infinity at most"
        )
    return exact_reader.read(body)


def _keys_are_distinct(body: bytes, document: dict[str, Any]) -> bool:
    """Whether as many keys were kept as there are colons.

    A colon in a text, or an object at an uncommon place, makes the answer a cautious no. Looks
    deeper only as long as keys are missing: at inputs or rows, then at base64 objects in rows.
    """
    missing = body.count(b":") - len(document)
    if not missing:
        return True
    objects: list[dict[str, Any]] = []
    for value in document.values():
        objects += _objects(value if type(value) is list else [value])
    missing -= sum(map(len, objects))
    if not missing:
        return True
    nested = _objects(value for row in objects for value in row.values())
    return missing == sum(map(len, nested))


def _objects(values: Iterable[Any]) -> list[dict[str, Any]]:
    return [value for value in values if type(value) is dict]


def _first_of_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    return members if len(members) == len(pairs) else dict(reversed(pairs))


_DECODER = json.JSONDecoder(object_pairs_hook=_first_of_each)
