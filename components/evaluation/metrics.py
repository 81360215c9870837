"""Metrics over resampled rows, fast enough for a thousand bootstrap resamples.

Names and definitions are TFMA's. A resample is a count per row. Rows are sorted by score once, so
that a whole batch of resamples costs a few passes over a matrix and no further sort.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from headrace.components.shared.config.model import METRICS

#: Takes counts of shape ``[resamples, rows]``, gives values of shape ``[resamples]``.
Metric = Callable[[np.ndarray], np.ndarray]

#: Per task, the metrics in the order they are shown; the first is the one promotion looks at.
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
        Metric name to function.
    """
    if task == "regression":
        return _regression(label, prediction)
    return _binary(label, prediction)


class _Ranked:
    """Rows in growing order of score, in groups of equal score."""

    def __init__(self, label: np.ndarray, score: np.ndarray) -> None:
        self._order = np.argsort(score, kind="stable")
        ordered = score[self._order]
        self._label = label[self._order].astype(float)
        self._starts = np.flatnonzero(np.concatenate([[True], np.diff(ordered) > 0]))
        self._tied = len(self._starts) < len(ordered)

    def masses(self, counts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Positive and negative rows per group, shape ``[resamples, groups]``."""
        every = counts[:, self._order]
        positive = every * self._label
        negative = every - positive
        if self._tied:
            positive = np.add.reduceat(positive, self._starts, axis=1)
            negative = np.add.reduceat(negative, self._starts, axis=1)
        return positive, negative


def _binary(label: np.ndarray, prediction: np.ndarray) -> dict[str, Metric]:
    ranked = _Ranked(label, prediction)
    clipped = np.clip(prediction.astype(float), 1e-7, 1 - 1e-7)
    loss = -(label * np.log(clipped) + (1 - label) * np.log1p(-clipped))
    hit = ((prediction > 0.5) == (label > 0.5)).astype(float)
    return {
        "auc": lambda counts: _auc(*ranked.masses(counts)),
        "auc_precision_recall": lambda counts: _average_precision(*ranked.masses(counts)),
        "binary_accuracy": lambda counts: counts @ hit / counts.sum(axis=1),
        "binary_crossentropy": lambda counts: counts @ loss / counts.sum(axis=1),
        "calibration": lambda counts: _ratio(counts @ prediction, counts @ label),
    }


def _regression(label: np.ndarray, prediction: np.ndarray) -> dict[str, Metric]:
    error = prediction.astype(float) - label
    squared, absolute = error**2, np.abs(error)
    return {
        "root_mean_squared_error": lambda c: np.sqrt(c @ squared / c.sum(axis=1)),
        "mean_absolute_error": lambda c: c @ absolute / c.sum(axis=1),
        "mean_squared_error": lambda c: c @ squared / c.sum(axis=1),
    }


def _auc(positive: np.ndarray, negative: np.ndarray) -> np.ndarray:
    """Area under the ROC curve as the Mann-Whitney statistic; ties count half."""
    below = np.cumsum(negative, axis=1)
    won: np.ndarray = np.einsum("rg,rg->r", positive, below - negative / 2)
    return _ratio(won, positive.sum(axis=1) * below[:, -1])


def _average_precision(positive: np.ndarray, negative: np.ndarray) -> np.ndarray:
    """Area under the precision-recall curve as average precision (step-wise)."""
    hits = np.cumsum(positive[:, ::-1], axis=1)
    shown = hits + np.cumsum(negative[:, ::-1], axis=1)
    precision = np.divide(hits, shown, out=np.zeros_like(hits), where=shown > 0)
    return _ratio(np.einsum("rg,rg->r", positive[:, ::-1], precision), hits[:, -1])


def _ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    undefined: np.ndarray = np.full_like(above, np.nan, dtype=float)
    result: np.ndarray = np.divide(above, below, out=undefined, where=below != 0)
    return result


def badness(name: str, value: np.ndarray) -> np.ndarray:
    """How bad values are: grows as the model gets worse, whatever the metric's direction."""
    if name == "calibration":
        return np.absolute(value - 1.0)
    return value if name in LOWER_IS_BETTER else -value
