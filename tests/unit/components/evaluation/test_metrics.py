"""Our resampled metrics against scikit-learn's, also where scores are tied and rows repeat."""

import numpy as np
import pytest
from sklearn import metrics as sk

from headrace.components.evaluation.metrics import NAMES, badness, prepare
from headrace.components.shared.config.model import METRICS

ROWS = 500


def case(kind):
    rng = np.random.default_rng(7)
    label = (rng.random(ROWS) < 0.3).astype(float)
    score = np.clip(0.3 * label + rng.normal(0.4, 0.2, ROWS), 0, 1)
    if kind == "tied":
        score = score.round(1)
    if kind == "constant":
        score = np.full(ROWS, 0.3)
    if kind == "extreme":
        score = (score > 0.5).astype(float)
    return label, score


KINDS = ["distinct", "tied", "constant", "extreme"]


def value(metric, counts):
    return float(np.ravel(metric(np.atleast_2d(counts).astype(float)))[0])


def measured(task, label, score, counts=None):
    counts = np.ones(len(label)) if counts is None else counts
    return {name: value(metric, counts) for name, metric in prepare(task, label, score).items()}


def binary_by_sklearn(label, score, weight):
    clipped = np.clip(score, 1e-7, 1 - 1e-7)
    return {
        "auc": sk.roc_auc_score(label, score, sample_weight=weight),
        "auc_precision_recall": sk.average_precision_score(label, score, sample_weight=weight),
        "binary_accuracy": sk.accuracy_score(label, score > 0.5, sample_weight=weight),
        "binary_crossentropy": sk.log_loss(label, clipped, sample_weight=weight),
        "calibration": (score @ weight) / (label @ weight),
    }


def regression_by_sklearn(label, score, weight):
    return {
        "root_mean_squared_error": sk.root_mean_squared_error(label, score, sample_weight=weight),
        "mean_absolute_error": sk.mean_absolute_error(label, score, sample_weight=weight),
        "mean_squared_error": sk.mean_squared_error(label, score, sample_weight=weight),
    }


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("resampled", [False, True])
def test_binary_metrics_equal_scikit_learns(kind, resampled):
    label, score = case(kind)
    counts = np.ones(ROWS)
    if resampled:
        counts = np.bincount(np.random.default_rng(1).integers(0, ROWS, ROWS), minlength=ROWS)
    expected = binary_by_sklearn(label, score, counts)
    assert measured("binary_classification", label, score, counts) == pytest.approx(expected)


@pytest.mark.parametrize("resampled", [False, True])
def test_regression_metrics_equal_scikit_learns(resampled):
    rng = np.random.default_rng(2)
    label, score = rng.normal(10, 5, ROWS), rng.normal(10, 5, ROWS)
    counts = np.ones(ROWS)
    if resampled:
        counts = np.bincount(rng.integers(0, ROWS, ROWS), minlength=ROWS)
    assert measured("regression", label, score, counts) == pytest.approx(
        regression_by_sklearn(label, score, counts)
    )


@pytest.mark.parametrize("kind", KINDS)
def test_a_resample_by_counts_is_the_metric_of_the_repeated_rows(kind):
    label, score = case(kind)
    index = np.random.default_rng(3).integers(0, ROWS, ROWS)
    by_counts = measured("binary_classification", label, score, np.bincount(index, minlength=ROWS))
    assert by_counts == pytest.approx(measured("binary_classification", label[index], score[index]))


def test_without_one_class_there_is_no_auc_rather_than_a_wrong_one():
    found = measured("binary_classification", np.zeros(10), np.linspace(0, 1, 10))
    assert np.isnan(found["auc"])
    assert np.isnan(found["calibration"])


def test_the_metrics_that_project_yaml_accepts_are_the_ones_there_are():
    assert dict(NAMES) == dict(METRICS)
    for task, names in NAMES.items():
        assert tuple(prepare(task, *case("distinct"))) == tuple(names)


@pytest.mark.parametrize(
    ("metric", "good", "bad"),
    [
        ("auc", 0.9, 0.6),
        ("binary_accuracy", 0.9, 0.6),
        ("binary_crossentropy", 0.2, 0.6),
        ("root_mean_squared_error", 1.0, 2.0),
        ("calibration", 1.05, 1.2),
        ("calibration", 0.95, 0.8),
        ("calibration", 1.05, 0.8),
    ],
)
def test_a_worse_value_is_worse_whatever_the_metrics_direction(metric, good, bad):
    assert badness(metric, np.array(good)) < badness(metric, np.array(bad))
