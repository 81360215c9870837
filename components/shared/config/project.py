"""A project: the folder that a user brings, described by its ``project.yaml``."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

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


def load(folder: Path) -> Project:
    """Reads ``folder/project.yaml``.

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
    return Project.parse(values, where=str(path))


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
