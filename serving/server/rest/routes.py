"""Which model, version and method a URL means; TensorFlow Serving's expressions and texts."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote

from headrace.serving.server.errors import Code, ServingError

_VERSION = r"(?:(?:/versions/(\d+))|(?:/labels/([^/:]+)))?"
_PREDICTION = re.compile(
    rf"/v1/models/([^/:]+){_VERSION}:(classify|regress|predict)", re.ASCII | re.IGNORECASE
)
_STATUS = re.compile(
    rf"/v1/models(?:/([^/:]+))?{_VERSION}(?:/(metadata))?", re.ASCII | re.IGNORECASE
)
_API = re.compile(r"/v1/", re.IGNORECASE)
_MAX_VERSION = 2**63 - 1
_MAX_DIGITS = len(str(_MAX_VERSION))


@dataclass
class Target:
    """What a request is about.

    Attributes:
        model: The model's name; ``""`` if the URL has none.
        method: ``predict``, ``classify`` or ``regress``; ``""`` for a GET.
        version: The version's number, if the URL has one.
        label: The version's label, likewise.
        metadata: Whether a GET asks for metadata, not for the status.
    """

    model: str = ""
    method: str = ""
    version: int | None = None
    label: str | None = None
    metadata: bool = False


def is_api(path: str) -> bool:
    """Whether a path belongs to TensorFlow Serving's API."""
    return _API.match(path) is not None


def find(verb: str, path: str, target: Target) -> None:
    """Fills ``target`` with what verb and path say, as far as they can be read.

    Args:
        verb: HTTP's method.
        path: Percent-encoded, without a query.
        target: Is filled in place, so that errors too can be counted by model.

    Raises:
        ServingError: INVALID_ARGUMENT, no such route, or a version that is no 64-bit number.
    """
    route = {"POST": _PREDICTION, "GET": _STATUS}.get(verb)
    match = route.fullmatch(path) if route else None
    if match is None:
        raise _malformed(verb, path)
    model, version, label, last = match.groups()
    target.model = _decode(model or "")
    if version is not None:
        # Python refuses to read thousands of digits.
        if len(version.lstrip("0")) > _MAX_DIGITS or int(version[-_MAX_DIGITS:]) > _MAX_VERSION:
            text = f"Failed to convert version: {version} to numeric."
            raise ServingError(Code.INVALID_ARGUMENT, text)
        target.version = int(version[-_MAX_DIGITS:])
    target.label = None if label is None else _decode(label)
    if route is _STATUS:
        target.metadata = last == "metadata"
    elif last in ("classify", "regress", "predict"):
        target.method = last
    else:  # the expression ignores case, what comes after it does not
        raise _malformed(verb, path)
    if not target.model:
        raise ServingError(Code.INVALID_ARGUMENT, "Missing model name in request.")


def _malformed(verb: str, path: str) -> ServingError:
    return ServingError(Code.INVALID_ARGUMENT, f"Malformed request: {verb} {path}")


def _decode(text: str) -> str:
    return unquote(text, errors="surrogateescape")
