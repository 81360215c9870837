"""Thresholds: the unfavourable end of the interval decides, on the slices that were named."""

import numpy as np
import polars as pl
import pytest

from headrace.components.evaluation.evaluator.thresholds import check, measure
from headrace.components.shared.config.model import Evaluation
from headrace.components.shared.errors import ConfigError

TASK = "binary_classification"


def rows(count=1500, champion=None):
    rng = np.random.default_rng(11)
    label = (rng.random(count) < 0.4).astype(float)
    noise = rng.normal(size=count)
    columns = {"label": label, "prediction": _score(label, noise, 1.0)}
    if champion is not None:
        columns["champion"] = _score(label, noise, champion)
    group = np.where(rng.random(count) < 0.5, "big", "wide")
    group[:20] = "tiny"
    return pl.DataFrame({**columns, "group": group})


def _score(label, noise, strength):
    return 1 / (1 + np.exp(-(strength * label + noise)))


def checks(table, thresholds, slices=(), **settings):
    wanted = {"thresholds": thresholds, "slices": [list(s) for s in slices], **settings}
    settings = Evaluation.parse({"resamples": 200, **wanted}, where="test")
    return check(measure(table, TASK, settings), TASK, settings)


def interval(table):
    settings = Evaluation.parse({"resamples": 200}, where="test")
    return measure(table, TASK, settings)[0].metrics["auc"]


def test_the_interval_holds_the_value_and_narrows_with_more_rows():
    small, large = interval(rows(200)), interval(rows(5000))
    for found in (small, large):
        assert found.low < found.value < found.high
    assert large.high - large.low < (small.high - small.low) / 2


def test_the_low_end_must_reach_a_minimum():
    found = interval(rows())
    (met,) = checks(rows(), {"auc": {"min": found.low - 0.001}})
    (missed,) = checks(rows(), {"auc": {"min": (found.low + found.value) / 2}})
    assert (met.passed, missed.passed) == (True, False)
    assert missed.measured == f"{found.value:.4f} [{found.low:.4f}, {found.high:.4f}]"
    assert missed.rule.startswith("at least 0.7")


def test_the_high_end_must_stay_below_a_maximum():
    table = rows()
    (probe,) = checks(table, {"binary_crossentropy": {"max": 9}})
    value, high = (float(probe.measured.split()[i].strip("[],")) for i in (0, 2))
    assert probe.passed
    (between,) = checks(table, {"binary_crossentropy": {"max": (value + high) / 2}})
    assert not between.passed


def test_a_minimum_and_a_maximum_are_two_checks():
    found = checks(rows(), {"calibration": {"min": 0.1, "max": 1.2}})
    assert [item.rule for item in found] == ["at least 0.1", "at most 1.2"]


def test_slices_gate_only_where_the_threshold_names_their_column():
    only_overall = checks(rows(), {"auc": {"min": 0.5}}, slices=[["group"]])
    assert [item.slice for item in only_overall] == [()]
    every = checks(rows(), {"auc": {"min": 0.5, "slices": ["group"]}}, slices=[["group"]])
    assert [item.slice for item in every] == [(), (("group", "big"),), (("group", "wide"),)]


def test_a_bad_slice_misses_although_the_whole_meets():
    table = rows().with_columns(
        prediction=pl.when(pl.col("group") == "wide")
        .then(1 - pl.col("prediction"))
        .otherwise("prediction")
    )
    bound = {"auc": {"min": 0.4, "slices": ["group"]}}
    found = {item.slice: item.passed for item in checks(table, bound, slices=[["group"]])}
    assert found == {(): True, (("group", "big"),): True, (("group", "wide"),): False}


def test_a_slice_too_small_or_of_one_class_never_gates():
    table = rows().with_columns(
        label=pl.when(pl.col("group") == "wide").then(1.0).otherwise("label")
    )
    bound = {"auc": {"min": 0.99, "slices": ["group"]}}
    found = checks(table, bound, slices=[["group"]], min_slice_rows=50)
    assert [item.slice for item in found] == [(), (("group", "big"),)]


@pytest.mark.parametrize(("champion", "passed"), [(1.0, True), (0.2, True), (3.0, False)])
def test_the_change_against_the_champion_is_bounded(champion, passed):
    (item,) = checks(rows(champion=champion), {"auc": {"max_worse": 0.01}})
    assert item.passed is passed
    assert item.rule == "at most 0.01 worse than the champion"


def test_without_a_champion_there_is_no_change_to_check():
    assert checks(rows(), {"auc": {"max_worse": 0.01}}) == []


def test_an_unknown_metric_gets_the_nearest_name():
    with pytest.raises(ConfigError) as caught:
        checks(rows(100), {"auk": {"min": 0.5}})
    assert "'auk', which is not a metric of binary_classification" in caught.value.message
    assert "'auc'" in caught.value.fix


def test_a_model_that_answers_nan_meets_no_threshold():
    table = rows(200).with_columns(prediction=pl.lit(float("nan")))
    assert not any(item.passed for item in checks(table, {"calibration": {"min": 0, "max": 9}}))


def test_intervals_cover_the_truth_about_as_often_as_they_claim():
    """80 % intervals of the mean label, over 100 samples with a known truth."""
    hits = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        label = (rng.random(300) < 0.5).astype(float)
        table = pl.DataFrame({"label": label, "prediction": np.full(300, 0.9)})
        settings = Evaluation.parse({"resamples": 100, "confidence": 0.8}, where="test")
        found = measure(table, TASK, settings)[0].metrics["binary_accuracy"]
        hits += found.low <= 0.5 <= found.high
    assert 70 <= hits <= 90
