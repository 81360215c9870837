"""The section ``edge``: the forms of the model for devices, and how alike they must answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from headrace.components.shared.config.section import Section

#: The forms, from the most exact to the smallest; each is the stem of its file.
Variant = Literal["float32", "pruned", "float16", "dynamic_int8", "int8", "int8_aware", "onnx"]
#: Without the two that train again.
USUAL: tuple[Variant, ...] = ("float32", "float16", "dynamic_int8", "int8", "onnx")
#: In `thresholds`, stands for every variant.
ALL = "all"


class Parity(Section):
    """How far one variant may be from the SavedModel on the test split."""

    max_difference: float | None = Field(
        None,
        ge=0,
        description="largest difference on one row: of probabilities, or in the label's unit",
    )
    mean_difference: float | None = Field(None, ge=0, description="mean absolute difference")
    metric_difference: float | None = Field(
        None, ge=0, description="change of AUC, or of the root mean squared error"
    )
    flips: float | None = Field(
        None, ge=0, le=1, description="share of rows whose decision changes; not for regression"
    )
    size: float | None = Field(None, gt=0, description="largest size, as a share of float32's")


#: For probabilities; a regression has no unit that is known beforehand.
DEFAULTS: Mapping[Variant, Parity] = {
    "float32": Parity(max_difference=1e-4, metric_difference=1e-4, flips=1e-4),
    "pruned": Parity(max_difference=0.1, metric_difference=2e-3, flips=0.02, size=1.0),
    "float16": Parity(max_difference=0.01, metric_difference=1e-3, flips=2e-3),
    "dynamic_int8": Parity(max_difference=0.05, metric_difference=1e-3, flips=0.01),
    "int8": Parity(max_difference=0.05, metric_difference=1e-3, flips=0.01, size=0.45),
    "int8_aware": Parity(max_difference=0.05, metric_difference=1e-3, flips=0.01, size=0.45),
    "onnx": Parity(max_difference=1e-4, metric_difference=1e-4, flips=1e-4),
}


def _once(names: list[str]) -> list[str]:
    if len(set(names)) < len(names):
        raise ValueError("names a variant twice")
    return names


class FineTuning(Section):
    """How the variants `int8_aware` and `pruned` are trained to answer as the model does."""

    batches: int = Field(1200, ge=1, description="steps of the training, of 256 rows each")
    rows: int = Field(100_000, ge=100, description="training rows, from all over the split")
    sparsity: float = Field(
        0.5, gt=0, lt=1, description="share of the weights of each matrix that `pruned` has as zero"
    )


class Edge(Section):
    """Which forms of the model go to devices, and what they must meet."""

    variants: Annotated[list[Variant], AfterValidator(_once)] = Field(
        default_factory=lambda: list(USUAL),
        min_length=1,
        description="TensorFlow Lite with weights of 32 or 16 bits, with weights in 8 bits, with "
        "weights and most of the arithmetic in 8 bits; ONNX. Only when named: `int8_aware`, "
        "trained for 8 bits, and `pruned`, trained with many weights zero and stored without them",
    )
    thresholds: dict[Variant | Literal["all"], Parity] = Field(
        default_factory=dict,
        description="by variant, `all` for every one; what both leave out has a default, except in "
        "a regression, where `max_difference` is needed",
    )
    slices: list[str] = Field(
        default_factory=list,
        description="columns of `evaluation.slices` whose slices must meet the limits too",
    )
    decision: float = Field(
        0.5, gt=0, lt=1, description="probability from which the answer counts as yes"
    )
    representative_rows: int = Field(
        2000, ge=100, description="training rows that set the ranges of int8"
    )

    fine_tuning: FineTuning = Field(
        default_factory=FineTuning, description="of `int8_aware` and `pruned`"
    )

    def limits(self, variant: Variant, task: str) -> Parity:
        """What one variant must meet: defaults, then `all`, then its own."""
        layers = [DEFAULTS[variant]] if task == "binary_classification" else []
        layers += [self.thresholds[name] for name in (ALL, variant) if name in self.thresholds]
        values = [layer.model_dump(exclude_unset=True) for layer in layers]
        return Parity.model_validate({key: v for layer in values for key, v in layer.items()})
