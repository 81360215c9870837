"""What the metadata store keeps of an artifact.

It knows texts and numbers. A truth value becomes a number, a list or a dict is wrapped, and nothing
else can be kept: ``StructValueToMLMDValue`` and ``toRuntimeArtifact`` in KFP's backend.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Artifact:
    """An artifact that a step has put out.

    Attributes:
        id: The store's number, which is the artifact's name for the steps after it.
        uri: Where it is.
        schema_title: Its type.
        metadata: As the store keeps it, and as KFP's user interface reads it.
    """

    id: int
    uri: str
    schema_title: str
    metadata: dict[str, Any] = field(default_factory=dict)

    def as_input(self) -> dict[str, Any]:
        """The artifact in the ExecutorInput of the next step; its type is not told."""
        return {"name": str(self.id), "uri": self.uri, "metadata": self.metadata}


def stored(metadata: dict[str, Any], output: str) -> dict[str, Any]:
    """Metadata after a way through the store.

    Raises:
        ValueError: a value that the store refuses.
    """
    kept = {name: _stored(name, value) for name, value in metadata.items()}
    return {"display_name": output, "store_session_info": "null", **kept}


def _stored(name: str, value: Any) -> Any:
    match value:
        case bool():
            return int(value)
        case str() | int() | float():
            return value
        case list():
            return {"list": value}
        case dict():
            return {"struct": value}
    raise ValueError(f"metadata {name!r}: unsupported value type {type(value).__name__}")
