"""Metrics over resampled rows, fast enough for a thousand bootstrap resamples.

Names and definitions are TFMA's. A resample is a count per row; rows are ranked once, so that each
resample costs a few passes over the data and no sort.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from headrace.components.shared.config.model import METRICS

Counts = np.ndarray
Metric = Callable[[Counts], float]

NAMES = METRICS
#: Metrics of which less is better. Calibration is best at 1.
LOWER_IS_BETTER = frozenset(
    {"binary_crossentropy", "root_mean_squared_error", "mean_absolute_error", "mean_squared_error"}
)


def prepare(task: str, label: np.ndarray, prediction: np.ndarray) -> dict[str, Metric]:
    """The metrics of ``task`` as functions of how often each row counts.

    Args:
        task: Task of the label.
        label: Truth, shape ``[rows]``.
        prediction: Model output, shape ``[rows]``.

    Returns:
        Metric name to a function of counts, shape ``[rows]``.
    """
    if task == "regression":
        return _regression(label, prediction)
    return _binary(label, prediction)


@dataclass(frozen=True)
class _Ranked:
    """Rows grouped by equal score, in growing order."""

    rank: np.ndarray
    groups: int
    label: np.ndarray

    def masses(self, counts: Counts) -> tuple[np.ndarray, np.ndarray]:
        """Positive and negative rows per group."""
        every = np.bincount(self.rank, weights=counts, minlength=self.groups)
        positive = np.bincount(self.rank, weights=counts * self.label, minlength=self.groups)
        return positive, every - positive


def _binary(label: np.ndarray, prediction: np.ndarray) -> dict[str, Metric]:
    values, rank = np.unique(prediction, return_inverse=True)
    ranked = _Ranked(rank, len(values), label.astype(float))
    clipped = np.clip(prediction.astype(float), 1e-7, 1 - 1e-7)
    loss = -(label * np.log(clipped) + (1 - label) * np.log1p(-clipped))
    hit = (prediction > 0.5) == (label > 0.5)
    return {
        "auc": lambda counts: _auc(*ranked.masses(counts)),
        "auc_precision_recall": lambda counts: _average_precision(*ranked.masses(counts)),
        "binary_accuracy": lambda counts: float(counts @ hit / counts.sum()),
        "binary_crossentropy": lambda counts: float(counts @ loss / counts.sum()),
        "calibration": lambda counts: _ratio(counts @ prediction, counts @ label),
    }


def _regression(label: np.ndarray, prediction: np.ndarray) -> dict[str, Metric]:
    error = prediction.astype(float) - label
    squared, absolute = error**2, np.abs(error)
    return {
        "root_mean_squared_error": lambda c: float(np.sqrt(c @ squared / c.sum())),
        "mean_absolute_error": lambda c: float(c @ absolute / c.sum()),
        "mean_squared_error": lambda c: float(c @ squared / c.sum()),
    }


def _auc(positive: np.ndarray, negative: np.ndarray) -> float:
    """Area under the ROC curve as the Mann-Whitney statistic; ties count half."""
    below = np.cumsum(negative) - negative
    won = float(positive @ (below + negative / 2))
    return _ratio(won, float(positive.sum() * negative.sum()))


def _average_precision(positive: np.ndarray, negative: np.ndarray) -> float:
    """Area under the precision-recall curve as average precision (step-wise)."""
    hits = np.cumsum(positive[::-1])
    shown = hits + np.cumsum(negative[::-1])
    precision = np.divide(hits, shown, out=np.zeros_like(hits), where=shown > 0)
    return _ratio(float(positive[::-1] @ precision), float(hits[-1]))


def _ratio(above: float, below: float) -> float:
    return float(above / below) if below else float("nan")


def badness(name: str, value: float) -> float:
    """How bad a value is: grows as the model gets worse, whatever the metric's direction."""
    if name == "calibration":
        return abs(value - 1)
    return value if name in LOWER_IS_BETTER else -value
