"""Fields of a document compared with the messages that a server parses it into."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor


@dataclass(frozen=True)
class Field:
    """A key that a document sets.

    Attributes:
        path: Where, with dots between the keys.
        name: Message and field, such as `DagSpec.tasks`.
        known: Whether the message has it.
    """

    path: str
    name: str
    known: bool


def fields(document: Any, message: Descriptor, path: str = "") -> Iterator[Field]:
    """Every key that belongs to a message, those that the message does not know included.

    Free-form values (structs, values, durations) are not looked into.
    """
    if not isinstance(document, Mapping) or message.full_name.startswith("google.protobuf."):
        return
    known = {name: one for one in message.fields for name in (one.name, one.camelcase_name)}
    label = message.full_name.partition(".")[2]
    for key, value in document.items():
        here = f"{path}.{key}" if path else str(key)
        field = known.get(key)
        yield Field(here, f"{label}.{field.name if field else key}", field is not None)
        if field is not None and field.message_type is not None:
            yield from _nested(value, field, here)


def _nested(value: Any, field: FieldDescriptor, path: str) -> Iterator[Field]:
    inner = field.message_type
    if inner.GetOptions().map_entry:
        content = inner.fields_by_name["value"].message_type
        # A map of plain values has no message to look into.
        if content is not None and isinstance(value, Mapping):
            for key, item in value.items():
                yield from fields(item, content, f"{path}.{key}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from fields(item, inner, f"{path}[{index}]")
    else:
        yield from fields(value, inner, path)
