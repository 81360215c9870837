"""Writes docs/project.md, the reference of every key of project.yaml, from the pydantic models.

``--check`` writes nothing and fails when the page is not what it would write.
"""

from __future__ import annotations

import json
import sys
import types
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import jinja2
from generated import report_or_write
from pydantic.fields import FieldInfo

from headrace.components.shared.config.platform import DEFAULTS
from headrace.components.shared.config.project import Project
from headrace.components.shared.config.section import Section

ROOT = Path(__file__).resolve().parents[1]
TEMPLATES = Path(__file__).parent / "templates"
PAGE = ROOT / "docs" / "project.md"
_NAMES = {"str": "text", "int": "integer", "float": "number", "bool": "true or false"}


@dataclass(frozen=True)
class Key:
    """One key of a section."""

    name: str
    type: str
    default: str
    description: str


@dataclass(frozen=True)
class Part:
    """A section, and where it is in project.yaml."""

    title: str
    description: str
    keys: list[Key]


def parts(model: type[Section] = Project, path: str = "") -> Iterator[Part]:
    """The section and all sections inside it, in the order of project.yaml."""
    keys = [_key(name, field) for name, field in model.model_fields.items()]
    yield Part(path or "Top level", (model.__doc__ or "").strip().replace("``", "`"), keys)
    for name, field in model.model_fields.items():
        inner = _section_in(field.annotation)
        if inner is not None:
            named = f"{path}.{name}" if path else name
            is_table = get_origin(field.annotation) is dict
            yield from parts(inner, f"{named}.<name>" if is_table else named)


def _key(name: str, field: FieldInfo) -> Key:
    limits = [text for item in field.metadata if (text := _limit(item))]
    inner = _section_in(field.annotation)
    about = field.description or (_sentence(inner) if inner else "")
    words = [about, ", ".join(limits)]
    return Key(
        name=name,
        type=_type(field.annotation).replace("|", "\\|"),
        default=_default(field),
        description=_escaped("; ".join(word for word in words if word)),
    )


def _escaped(text: str) -> str:
    """Text as a Markdown table takes it."""
    return text.replace("|", "\\|").replace("<", "\\<")


def _sentence(section: type[Section]) -> str:
    """A section's docstring as the meaning of a key."""
    text = (section.__doc__ or "").strip().removesuffix(".").replace("``", "`")
    return text[:1].lower() + text[1:]


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.get_default(call_default_factory=True)
    if isinstance(value, Section):
        return "its defaults"
    if value is None:
        return ""
    return f"`{json.dumps(value, default=str, ensure_ascii=False)}`"


def _type(annotation: Any) -> str:
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _type(arguments[0])
    if origin is Literal:
        return " or ".join(f"`{value}`" for value in arguments)
    if origin in (Union, types.UnionType):
        return _type(next(item for item in arguments if item is not type(None)))
    if origin is list:
        return f"list of {_plural(_type(arguments[0]))}"
    if origin is dict:
        return f"table of {_plural(_type(arguments[1]))}"
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return "section"
    name = getattr(annotation, "__name__", str(annotation))
    return "time" if name == "datetime" else _NAMES.get(name, name)


def _plural(word: str) -> str:
    if word.startswith("list of "):
        return f"lists of {word.removeprefix('list of ')}"
    return f"{word}s" if word.isalpha() else word


def _limit(item: Any) -> str:
    for name, words in (("ge", "at least"), ("gt", "more than"), ("le", "at most")):
        if (value := getattr(item, name, None)) is not None:
            return f"{words} {value}"
    if (value := getattr(item, "lt", None)) is not None:
        return f"less than {value}"
    if pattern := getattr(item, "pattern", None):
        return f"matches `{pattern}`"
    return ""


def _section_in(annotation: Any) -> type[Section] | None:
    """The section type of a field, also inside a table or list."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return annotation
    return next((s for a in get_args(annotation) if (s := _section_in(a)) is not None), None)


def render() -> str:
    """The page."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template("project.md.j2").render(parts=list(parts()), steps=DEFAULTS)


def main() -> int:
    """Writes or checks the page; returns the exit code."""
    return report_or_write({PAGE: render()}, check="--check" in sys.argv, root=ROOT)


if __name__ == "__main__":
    sys.exit(main())
