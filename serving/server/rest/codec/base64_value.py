"""Bytes in JSON: ``{"b64": "…"}``."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

from headrace.serving.server.errors import Code, ServingError
from headrace.serving.server.rest.codec.debug_string import debug_string

_SPACE = re.compile(r"[ \t\n\v\f\r]+")


def is_base64(value: Any) -> bool:
    """Whether a value is ``{"b64": "…"}``, and nothing else."""
    return type(value) is dict and len(value) == 1 and type(value.get("b64")) is str


def decode_base64(value: Any) -> bytes:
    """The bytes of ``{"b64": "…"}``; padding may be missing, white space is skipped.

    Raises:
        ServingError: INVALID_ARGUMENT, ``value`` is something else or not base64.
    """
    if not is_base64(value):
        text = f"JSON Value: {debug_string(value)} not formatted correctly for base64 data"
        raise ServingError(Code.INVALID_ARGUMENT, text)
    text = _SPACE.sub("", value["b64"])
    if not text.endswith("="):
        text += "=" * (-len(text) % 4)
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ServingError(Code.INVALID_ARGUMENT, "Unable to base64 decode") from None
