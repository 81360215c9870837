"""``latest.json`` beside the bundles: which version is the newest.

A plain file server cannot list folders, so the pusher writes this file last. It is a hint only and
needs no signature: a device takes no version but one whose signed manifest says that it is that
version, and that is newer than the one it has.
"""

from __future__ import annotations

import json

from pydantic import BaseModel, PositiveInt, ValidationError

from headrace.serving.edge.bundle.errors import BundleError

POINTER = "latest.json"


class _Pointer(BaseModel):
    version: PositiveInt


def write_pointer(version: int) -> bytes:
    """The bytes of ``latest.json``."""
    return (json.dumps({"version": version}) + "\n").encode()


def read_pointer(content: bytes, *, where: str) -> int:
    """The version that ``latest.json`` names.

    Raises:
        BundleError: it names none.
    """
    try:
        return _Pointer.model_validate_json(content).version
    except ValidationError:
        raise BundleError(
            f'{where} does not name a version: expected {{"version": 7}}, got {content[:80]!r}.',
            fix="Is that the address of the folder `edge` beside the pushed model?",
        ) from None
