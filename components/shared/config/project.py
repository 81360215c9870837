"""A project: the folder that a user brings, described by its ``project.yaml``."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, model_validator

from headrace.components.shared.config.data import (
    Features,
    FeatureStore,
    Leakage,
    Source,
    Split,
    Validation,
)
from headrace.components.shared.config.edge import Edge
from headrace.components.shared.config.model import (
    METRICS,
    Evaluation,
    Promotion,
    Serving,
    Training,
    Tuning,
)
from headrace.components.shared.config.platform import Platform
from headrace.components.shared.config.section import Section
from headrace.components.shared.errors import ConfigError
from headrace.components.shared.project_code import blamed_on
from headrace.components.shared.text import nearest

FILE = "project.yaml"
CODE_FILES = ("features.py", "preprocessing.py", "model.py")
Task = Literal["binary_classification", "regression"]


class Label(Section):
    """The column to predict."""

    column: str = Field(description="for a binary label: 0 and 1")
    task: Task = Field("binary_classification", description="chooses metrics and the output's name")


class Project(Section):
    """Everything ``project.yaml`` says."""

    name: str = Field(
        pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", description="of the project and its model"
    )
    description: str = Field("", description="what is predicted, and for whom")
    label: Label = Field(description="what to predict")
    sources: dict[str, Source] = Field(
        min_length=1, description="tables to ingest, by the names that features.py uses"
    )
    feature_store: FeatureStore = FeatureStore()
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
    edge: Edge | None = Field(None, description="export for devices; left out: none")
    platform: Platform = Platform()

    @model_validator(mode="after")
    def _metrics_of_the_task(self) -> Project:
        named = dict.fromkeys(self.evaluation.thresholds, "evaluation.thresholds")
        if self.promotion.metric:
            named[self.promotion.metric] = "promotion.metric"
        for metric, key in named.items():
            if metric not in METRICS[self.label.task]:
                raise ValueError(
                    f"{key}: {metric!r} is not a metric of {self.label.task}. "
                    f"{nearest(metric, METRICS[self.label.task])}"
                )
        return self

    @model_validator(mode="after")
    def _edge_fits_the_task(self) -> Project:
        if self.edge is None:
            return self
        sliced = {column for columns in self.evaluation.slices for column in columns}
        for column in self.edge.slices:
            if column not in sliced:
                raise ValueError(f"edge.slices: {column!r} is not in evaluation.slices")
        for variant in self.edge.variants if self.label.task == "regression" else ():
            limits = self.edge.limits(variant, self.label.task)
            if limits.max_difference is None:
                raise ValueError(
                    f"edge.thresholds: a regression needs max_difference for {variant}, in the "
                    "label's unit"
                )
            if limits.flips is not None:
                raise ValueError(f"edge.thresholds: {variant}: a regression has no flips")
        return self


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
    try:
        values[last] = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(
            f"--set {override!r} has a value that is not YAML: {str(error).splitlines()[0]}",
            fix="For example: --set training.epochs=3 or --set 'features.exclude=[id, month]'",
        ) from None


def read_code(folder: Path) -> dict[str, str]:
    """The project's code files that exist, as file name: source text.

    Raises:
        ConfigError: ``preprocessing.py`` or ``model.py`` is missing.
        ProjectCodeError: a file is not Python; said here, before a run spends minutes on its data.
    """
    code = {}
    for name in CODE_FILES:
        path = folder / name
        if path.exists():
            code[name] = _read_source(path)
            with blamed_on(folder, name):
                ast.parse(code[name], filename=str(path))
        elif name != "features.py":
            raise ConfigError(
                f"{folder} lacks {name}.",
                fix="Write it, or start from `headrace init <folder>`, which makes one.",
            )
    return code


def _read_source(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{path} is not UTF-8: byte {error.object[error.start]:#04x} at {error.start}.",
            fix="Save it as UTF-8.",
        ) from None
