"""How far a variant's answers are from the SavedModel's, and whether that is near enough."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from headrace.components.evaluation.evaluator.tfma_metrics import SliceKey, slice_keys
from headrace.components.evaluation.evaluator.view import slice_name
from headrace.components.evaluation.metrics import NAMES, prepare
from headrace.components.shared.config.edge import Edge, Parity, Variant
from headrace.components.shared.config.model import Evaluation


@dataclass(frozen=True)
class Difference:
    """Two models' answers to the same rows.

    Attributes:
        key: Columns and values of the slice; empty for all rows.
        rows: How many.
        metric: AUC or root mean squared error of the variant; NaN where it is undefined.
        metric_difference: From the SavedModel's.
        max_difference: Largest absolute difference on one row.
        mean_difference: Mean absolute difference.
        flips: Share of rows with another decision; None for a regression.
    """

    key: SliceKey
    rows: int
    metric: float
    metric_difference: float
    max_difference: float
    mean_difference: float
    flips: float | None


@dataclass(frozen=True)
class Reference:
    """What answers are compared with.

    Attributes:
        task: Task of the label.
        label: Truth, of shape ``[rows]``.
        answers: The SavedModel's, of shape ``[rows]``.
        slices: Which rows belong to each slice; all of them come first.
    """

    task: str
    label: np.ndarray
    answers: np.ndarray
    slices: list[tuple[SliceKey, np.ndarray]]

    @cached_property
    def metrics(self) -> list[float]:
        """AUC or root mean squared error of the SavedModel, by slice."""
        return [_metric(self.task, self.label[mask], self.answers[mask]) for _, mask in self.slices]


def slices_of(table: pl.DataFrame, evaluation: Evaluation) -> list[tuple[SliceKey, np.ndarray]]:
    """All rows, then the evaluation's slices that have enough of them, as masks."""
    columns = sorted({column for names in evaluation.slices for column in names})
    texts = table.select(pl.col(name).cast(pl.String).fill_null("(missing)") for name in columns)
    return [
        (key, mask)
        for key, mask in slice_keys(texts if columns else table, evaluation.slices)
        if not key or mask.sum() >= evaluation.min_slice_rows
    ]


def compare(reference: Reference, answers: np.ndarray, decision: float) -> list[Difference]:
    """Differences on all rows first, then on each slice.

    Args:
        reference: What to compare with.
        answers: The variant's, of shape ``[rows]``.
        decision: Probability from which the answer counts as yes.
    """
    return [
        _difference(reference, answers, decision, key, mask, before)
        for (key, mask), before in zip(reference.slices, reference.metrics, strict=True)
    ]


def _metric(task: str, label: np.ndarray, answers: np.ndarray) -> float:
    return float(prepare(task, label, answers)[NAMES[task][0]](np.ones((1, len(label))))[0])


def _difference(
    reference: Reference,
    answers: np.ndarray,
    decision: float,
    key: SliceKey,
    mask: np.ndarray,
    before: float,
) -> Difference:
    label, own, other = reference.label[mask], answers[mask], reference.answers[mask]
    metric = _metric(reference.task, label, own)
    apart = np.abs(own.astype(float) - other)
    flips = None
    if reference.task == "binary_classification":
        flips = float(np.mean((own > decision) != (other > decision)))
    return Difference(
        key=key,
        rows=len(label),
        metric=metric,
        metric_difference=metric - before,
        max_difference=float(apart.max()),
        mean_difference=float(apart.mean()),
        flips=flips,
    )


def missed(
    variant: Variant, found: list[Difference], size: float, edge: Edge, task: str
) -> list[str]:
    """The limits that a variant does not meet, in words; empty when it may be pushed.

    Args:
        variant: Its name.
        found: From :func:`compare`.
        size: Of its file, as a share of float32's.
        edge: Limits, and the columns whose slices must meet them.
        task: Task of the label.
    """
    limits = edge.limits(variant, task)
    reasons = []
    if limits.size is not None and size > limits.size:
        reasons.append(f"its size is {size:.3f} of float32's, allowed {limits.size:g}")
    for one in found:
        if not one.key or {column for column, _ in one.key} & set(edge.slices):
            reasons += _beyond(one, limits, NAMES[task][0])
    return reasons


def _beyond(one: Difference, limits: Parity, metric: str) -> Iterator[str]:
    values = {
        "largest difference": (one.max_difference, limits.max_difference),
        "mean difference": (one.mean_difference, limits.mean_difference),
        "share of changed decisions": (one.flips, limits.flips),
        f"change of {metric}": (abs(one.metric_difference), limits.metric_difference),
    }
    for name, (value, limit) in values.items():
        # The AUC of one class is undefined and says nothing; answers that are no numbers do.
        silent = name.startswith("change") and np.isnan(one.metric_difference)
        if value is not None and limit is not None and not value <= limit and not silent:
            yield f"{name} on {slice_name(one.key)} is {value:.4g}, allowed {limit:g}"
