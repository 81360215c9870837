"""The project's slices and thresholds as a TFMA configuration."""

from __future__ import annotations

from typing import Any

from tensorflow_model_analysis.proto import config_pb2 as tfma

from headrace.components.evaluation.evaluator.tfma_metrics import CLASSES
from headrace.components.shared.config.model import Bound
from headrace.components.shared.config.project import Project
from headrace.components.shared.signatures import EXAMPLES_SIGNATURE, OUTPUT

#: Our names of the metrics that a threshold may be for, and TFMA's classes.
THRESHOLD_CLASSES = {
    "auc": "AUC",
    "auc_precision_recall": "AUCPrecisionRecall",
    "binary_accuracy": "BinaryAccuracy",
    "calibration": "Calibration",
    "mean_absolute_error": "MeanAbsoluteError",
    "mean_squared_error": "MeanSquaredError",
}


def eval_config(project: Project) -> Any:
    """The same metrics, on the same slices, with the same limits."""
    task = project.label.task
    bounds = {
        THRESHOLD_CLASSES[name]: bound
        for name, bound in project.evaluation.thresholds.items()
        if name in THRESHOLD_CLASSES
    }
    metrics = [
        tfma.MetricConfig(class_name=name, per_slice_thresholds=_thresholds(bounds.get(name)))
        for name in ("ExampleCount", *CLASSES[task])
    ]
    return tfma.EvalConfig(
        model_specs=[
            tfma.ModelSpec(
                signature_name=EXAMPLES_SIGNATURE,
                label_key=project.label.column,
                prediction_key=OUTPUT[task],
            )
        ],
        slicing_specs=[
            tfma.SlicingSpec(),
            *(tfma.SlicingSpec(feature_keys=columns) for columns in project.evaluation.slices),
        ],
        metrics_specs=[tfma.MetricsSpec(metrics=metrics)],
    )


def _thresholds(bound: Bound | None) -> list[Any]:
    if bound is None or (bound.min is None and bound.max is None):
        return []
    limits = {}
    if bound.min is not None:
        limits["lower_bound"] = {"value": bound.min}
    if bound.max is not None:
        limits["upper_bound"] = {"value": bound.max}
    slices = [tfma.SlicingSpec(), *(tfma.SlicingSpec(feature_keys=[c]) for c in bound.slices)]
    threshold = tfma.MetricThreshold(value_threshold=tfma.GenericValueThreshold(**limits))
    return [tfma.PerSliceMetricThreshold(slicing_specs=slices, threshold=threshold)]
