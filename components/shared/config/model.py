"""Sections about the model: tuning, training, evaluation, promotion and pushing."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, model_validator

from headrace.components.shared.config.section import Section

#: Per task, the metrics in the order they are shown; the first is the one promotion looks at.
METRICS = {
    "binary_classification": (
        "auc",
        "auc_precision_recall",
        "binary_accuracy",
        "binary_crossentropy",
        "calibration",
    ),
    "regression": ("root_mean_squared_error", "mean_absolute_error", "mean_squared_error"),
}


class Tuning(Section):
    """The search over ``build_model``'s hyperparameters."""

    algorithm: Literal["random", "grid", "hyperband"] = Field(
        "random", description="KerasTuner's search"
    )
    trials: int = Field(0, ge=0, description="0 trains with the defaults of model.py")
    epochs: int = Field(3, ge=1, description="epochs per trial")
    folds: int = Field(1, ge=1, description="k of k-fold cross-validation; 1 uses the eval split")
    max_rows: int = Field(100_000, ge=1, description="training rows a trial sees")
    objective: str | None = Field(
        None, description="validation metric; val_auc or val_loss if unset"
    )
    seed: int = Field(17, description="of the search")


class Training(Section):
    """How the model is fitted."""

    epochs: int = Field(10, ge=1, description="most passes over the training split")
    batch_size: int = Field(1024, ge=1, description="rows per step")
    patience: int = Field(3, ge=1, description="epochs without improvement before stopping")
    mixed_precision: bool = Field(False, description="compute in 16 bits, for GPUs")
    xla: bool = Field(False, description="compile the training step")
    seed: int = Field(17, description="of weights and of the order of rows")


class Bound(Section):
    """Limits for one metric on the overall slice, or on every slice of a column."""

    min: float | None = Field(None, description="smallest value allowed")
    max: float | None = Field(None, description="largest value allowed")
    max_worse: float | None = Field(
        None, ge=0, description="how much worse than the champion it may be"
    )
    slices: list[str] = Field(
        default_factory=list, description="columns whose slices must meet it too"
    )


class Evaluation(Section):
    """What is measured, on which slices, and what is good enough."""

    slices: list[list[str]] = Field(
        default_factory=list, description="column lists; each makes a slice per value combination"
    )
    thresholds: dict[str, Bound] = Field(default_factory=dict, description="metric: limits")
    confidence: float = Field(0.95, gt=0, lt=1, description="of the intervals")
    resamples: int = Field(500, ge=100, description="bootstrap resamples for the intervals")
    min_slice_rows: int = Field(100, ge=1, description="smaller slices are shown but never gate")


class Promotion(Section):
    """When a challenger replaces the champion."""

    metric: str | None = Field(None, description="auc, or root_mean_squared_error, when unset")
    rule: Literal["better", "not_worse"] = Field(
        "better", description="better than the champion, or worse by no more than margin"
    )
    margin: float = Field(0.0, ge=0, description="not_worse: how much worse is still accepted")
    confidence: float = Field(0.95, gt=0, lt=1, description="with which the rule must hold")
    resamples: int = Field(2000, ge=100, description="paired bootstrap resamples")

    @model_validator(mode="after")
    def _margin_belongs_to_not_worse(self) -> Promotion:
        if self.rule == "better" and self.margin:
            raise ValueError("margin goes with rule: not_worse")
        return self


class Serving(Section):
    """Where a blessed model goes."""

    destination: str = Field(
        "models",
        description="folder or URI that TensorFlow Serving watches; relative to the run home",
    )
    keep_versions: int = Field(5, ge=1, description="older pushed versions are removed")
    warmup_rows: int = Field(
        8,
        ge=0,
        le=200,
        description="real test rows kept with a version, that a server replays before serving it",
    )
