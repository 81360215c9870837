"""A project: the folder that a user brings, described by its ``project.yaml``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import yaml
from headrace.components.shared.config.data import Features, Leakage, Source, Split, Validation
from headrace.components.shared.config.model import (
    Evaluation,
    Promotion,
    Serving,
    Training,
    Tuning,
)
from headrace.components.shared.config.section import Section
from headrace.components.shared.errors import ConfigError
from pydantic import Field

FILE = "project.yaml"
CODE_FILES = ("features.py", "preprocessing.py", "model.py")
Task = Literal["binary_classification", "regression"]


class Label(Section):
    """The column to predict."""

    column: str
    task: Task = "binary_classification"


class Project(Section):
    """Everything ``project.yaml`` says."""

    name: str = Field(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")
    description: str = ""
    label: Label
    sources: dict[str, Source] = Field(min_length=1)
    features: Features = Features()
    split: Split = Split()
    curated_schema: str | None = Field(
        None, description="TFMD schema text file to use instead of the inferred one"
    )
    validation: Validation = Validation()
    leakage: Leakage = Leakage()
    tuning: Tuning = Tuning()
    training: Training = Training()
    evaluation: Evaluation = Evaluation()
    promotion: Promotion = Promotion()
    serving: Serving = Serving()


def load(folder: Path, overrides: Sequence[str] = ()) -> Project:
    """Reads ``folder/project.yaml``.

    Args:
        folder: The project.
        overrides: ``section.key=value`` texts that win over the file; values are YAML.

    Raises:
        ConfigError: the folder or file is missing, is not YAML, or a key or value is wrong.
    """
    path = folder / FILE
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(
            f"{folder} is not a project: {path} does not exist.",
            fix="Name a project folder, or make one with `headrace init <folder>`.",
        ) from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path} cannot be read: {error}", fix="Correct the file.") from None
    if not isinstance(values, dict):
        raise ConfigError(
            f"{path} must hold keys and values, got {type(values).__name__}.",
            fix="Start from `headrace init <folder>`.",
        )
    for override in overrides:
        _set(values, override)
    return Project.parse(values, where=str(path))


def _set(values: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise ConfigError(
            f"--set {override!r} is not KEY=VALUE.", fix="For example: --set training.epochs=3"
        )
    *sections, last = key.split(".")
    for section in sections:
        inner = values.setdefault(section, {})
        if not isinstance(inner, dict):
            raise ConfigError(
                f"--set {override!r}: {section!r} is a value, not a section.",
                fix="`docs/project.md` lists every key.",
            )
        values = inner
    values[last] = yaml.safe_load(text)


def read_code(folder: Path) -> dict[str, str]:
    """The project's code files that exist, as file name: source text.

    Raises:
        ConfigError: ``preprocessing.py`` or ``model.py`` is missing.
    """
    code = {}
    for name in CODE_FILES:
        path = folder / name
        if path.exists():
            code[name] = path.read_text(encoding="utf-8")
        elif name != "features.py":
            raise ConfigError(
                f"{folder} lacks {name}.",
                fix="Write it, or start from `headrace init <folder>`, which makes one.",
            )
    return code
