"""A challenger replaces the champion only by the stated rule."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.conftest import Outcome, headrace

pytestmark = pytest.mark.e2e

NO_THRESHOLDS = ("--set", "evaluation.thresholds={}")
BARELY_TRAINED = ("--set", "training.epochs=1", *NO_THRESHOLDS)
OTHER_SEED = ("--set", "training.seed=4")


def train(home: Path, *options: str) -> Outcome:
    return headrace("run", "examples/housing", *options, home=home)


def report_of(outcome: Outcome) -> str:
    return Path(outcome.record.tasks["challenger"].outputs.artifacts["report"].uri).read_text()


def test_a_worse_challenger_is_not_pushed_and_the_report_says_why(housing_run, copy_of):
    worse = train(copy_of(housing_run), *BARELY_TRAINED)
    assert worse.code == 3, worse.output
    assert worse.states()["pusher"] == "skipped"
    assert worse.versions("housing") == ["1"]
    verdict = worse.record.tasks["challenger"].verdict
    assert verdict.startswith("not promoted")
    assert verdict.partition(";")[0] in report_of(worse)
    assert "not promoted" in worse.output


def test_an_equal_challenger_is_pushed_under_not_worse_within_the_margin(housing_run, copy_of):
    equal = train(copy_of(housing_run), *OTHER_SEED, "--set", "promotion.margin=3.0")
    assert equal.code == 0, equal.output
    assert equal.versions("housing") == ["1", "2"]


def test_an_equal_challenger_is_not_pushed_when_it_must_be_better(housing_run, copy_of):
    rule = ("--set", "promotion={rule: better}")
    equal = train(copy_of(housing_run), *OTHER_SEED, *rule)
    assert equal.code == 3, equal.output
    assert equal.versions("housing") == ["1"]


def test_a_missed_threshold_stops_the_push_before_any_comparison(housing_run, copy_of):
    strict = "evaluation.thresholds={root_mean_squared_error: {max: 0.1}}"
    missed = train(copy_of(housing_run), "--set", strict)
    assert missed.code == 3, missed.output
    assert "root_mean_squared_error" in missed.record.tasks["evaluator"].verdict
    assert missed.versions("housing") == ["1"]
