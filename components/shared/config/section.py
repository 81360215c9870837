"""The base of every section, and errors that name the key and its nearest valid neighbour."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from headrace.components.shared.errors import ConfigError


class Section(BaseModel):
    """A part of ``project.yaml`` or of a file like it.

    Unknown keys are errors, and values never change after parsing.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    #: The page that lists the keys.
    reference: ClassVar[str] = "docs/project.md"

    @classmethod
    def parse(cls, values: Mapping[str, Any], *, where: str) -> Self:
        """Builds the section from plain values.

        Args:
            values: Keys and values as YAML or a pipeline parameter gives them.
            where: The file or parameter, for the error message.

        Raises:
            ConfigError: a key is unknown or missing, or a value does not fit.
        """
        try:
            return cls.model_validate(dict(values))
        except ValidationError as error:
            raise _config_error(cls, error, where) from None


def _config_error(model: type[Section], error: ValidationError, where: str) -> ConfigError:
    lines, fixes = [], []
    for item in error.errors():
        path = ".".join(str(part) for part in item["loc"]) or "(top level)"
        if item["type"] == "extra_forbidden":
            lines.append(f"{path}: unknown key")
            fixes.append(_nearest(model, item["loc"]))
        else:
            lines.append(f"{path}: {_explain(item)}")
    shown = "\n".join(f"  {line}" for line in lines)
    hint = f"Correct the value; `{model.reference}` lists every key."
    fix = " ".join(dict.fromkeys(fixes)) or hint
    return ConfigError(f"{where} is not valid:\n{shown}", fix=fix)


def _explain(item: ErrorDetails) -> str:
    message = item["msg"].removeprefix("Value error, ")
    # A rule over a whole section or a missing key says all; else the value helps.
    if item["type"] in ("missing", "value_error"):
        return message
    return f"{message}, got {item['input']!r:.80}"


def _nearest(model: type[BaseModel], location: tuple[int | str, ...]) -> str:
    keys = _keys_at(model, location[:-1])
    wrong = str(location[-1])
    close = difflib.get_close_matches(wrong, keys, n=1, cutoff=0.5)
    if close:
        return f"Did you mean {close[0]!r} instead of {wrong!r}?"
    return f"Remove {wrong!r}; valid keys there: {', '.join(sorted(keys))}."


def _keys_at(model: type[BaseModel], path: tuple[int | str, ...]) -> list[str]:
    """The valid keys of the section that ``path`` leads to."""
    current: type[BaseModel] = model
    for part in path:
        field = current.model_fields.get(str(part))
        if field is None:
            continue
        nested = _section_in(field.annotation)
        if nested is not None:
            current = nested
    return list(current.model_fields)


def _section_in(annotation: Any) -> type[BaseModel] | None:
    """The section type inside ``dict[str, Section]``, ``list[Section]`` or ``Section | None``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in getattr(annotation, "__args__", ()):
        found = _section_in(argument)
        if found is not None:
            return found
    return None
