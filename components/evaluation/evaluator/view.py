"""The evaluation as the plain values that the report and the KFP UI show."""

from __future__ import annotations

from typing import Any

import numpy as np

from headrace.components.evaluation.evaluator.tfma_metrics import SliceKey
from headrace.components.evaluation.evaluator.thresholds import SliceResult
from headrace.components.evaluation.metrics import NAMES

_CURVE_POINTS = 100
_CALIBRATION_BINS = 10


def slice_name(key: SliceKey) -> str:
    """``origin=JFK, carrier=B6``, or ``overall``."""
    return ", ".join(f"{column}={value}" for column, value in key) or "overall"


def headline(task: str) -> tuple[str, ...]:
    """The metrics named in one-line verdicts."""
    if task == "regression":
        return ("root_mean_squared_error", "mean_absolute_error")
    return ("auc", "auc_precision_recall", "calibration")


def slice_groups(
    values: dict[SliceKey, dict[str, float]], measured: list[SliceResult], task: str
) -> list[dict[str, Any]]:
    """Slices grouped by columns, each with TFMA's values and the first metric's interval."""
    primary = NAMES[task][0]
    intervals = {result.key: result.metrics[primary] for result in measured}
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for key, metrics in values.items():
        columns = tuple(column for column, _ in key)
        entry = {"name": slice_name(key), "metrics": metrics, "interval": intervals.get(key)}
        groups.setdefault(columns, []).append(entry)
    bounds = [x for i in intervals.values() for x in (i.low, i.high)]
    overall = intervals[()].value
    return [
        {
            "title": " and ".join(columns) or "overall",
            "primary": primary,
            "slices": sorted(entries, key=lambda e: -e["metrics"]["example_count"]),
            "scale": (min(bounds), max(bounds)),
            "mark": overall,
        }
        for columns, entries in sorted(groups.items(), key=lambda item: len(item[0]))
    ]


def curves(task: str, label: np.ndarray, prediction: np.ndarray) -> dict[str, Any]:
    """Points of the ROC, precision-recall and calibration curves, or of predicted versus true."""
    if task == "regression":
        return {"scatter": _scatter(label, prediction)}
    from sklearn.calibration import calibration_curve
    from sklearn.metrics import precision_recall_curve

    false_positive, true_positive, _ = roc_points(label, prediction)
    precision, recall, _ = precision_recall_curve(label, prediction)
    chosen = np.linspace(0, len(recall) - 1, _CURVE_POINTS).astype(int)
    truth, shown = calibration_curve(
        label, np.clip(prediction, 0, 1), n_bins=_CALIBRATION_BINS, strategy="quantile"
    )
    return {
        "roc": list(zip(false_positive, true_positive, strict=True)),
        "precision_recall": list(zip(recall[chosen], precision[chosen], strict=True)),
        "calibration": list(zip(shown, truth, strict=True)),
    }


def roc_points(
    label: np.ndarray, prediction: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """False positive rate, true positive rate and threshold at about a hundred points."""
    from sklearn.metrics import roc_curve

    false_positive, true_positive, threshold = roc_curve(label, prediction)
    chosen = np.unique(np.linspace(0, len(threshold) - 1, _CURVE_POINTS).astype(int))
    # The first threshold is infinite, which JSON cannot carry.
    finite = np.minimum(threshold, 1.0)
    return false_positive[chosen], true_positive[chosen], finite[chosen]


def confusion(label: np.ndarray, prediction: np.ndarray) -> list[list[int]]:
    """Rows are the truth, columns the prediction at 0.5."""
    from sklearn.metrics import confusion_matrix

    matrix = confusion_matrix(label > 0.5, prediction > 0.5, labels=[False, True])
    return [[int(value) for value in row] for row in matrix]


def _scatter(label: np.ndarray, prediction: np.ndarray) -> list[tuple[float, float]]:
    low, high = float(min(label.min(), prediction.min())), float(max(label.max(), prediction.max()))
    span = max(high - low, 1e-12)
    chosen = np.linspace(0, len(label) - 1, min(len(label), 400)).astype(int)
    return [((label[i] - low) / span, (prediction[i] - low) / span) for i in chosen]


def slice_table(
    values: dict[SliceKey, dict[str, float]], measured: list[SliceResult], task: str
) -> list[dict[str, Any]]:
    """Slices large enough to measure, as flat records for artifact metadata."""
    names = [name for name in headline(task) if name in values[()]]
    return [
        {
            "slice": slice_name(result.key),
            "group": ",".join(column for column, _ in result.key),
            "rows": result.rows,
            **{name: values[result.key].get(name) for name in names},
            **{name: found.value for name, found in result.metrics.items() if name in names},
        }
        for result in measured
        if result.key
    ]
