"""Who replaces the champion: by paired bootstrap, with the rule of the project."""

import numpy as np
import polars as pl
import pytest

from headrace.components.evaluation.challenger import challenger
from headrace.components.shared.errors import ConfigError


@pytest.fixture
def compare(tmp_path):
    def run(challenger_strength=1.0, champion_strength=1.0, task="binary_classification", **keys):
        rng = np.random.default_rng(4)
        rows, positives = keys.pop("rows", 800), keys.pop("positives", 0.4)
        label = (rng.random(rows) < positives).astype(float)
        label[:3] = 1.0
        noise = rng.normal(size=rows)
        table = {"label": label, "prediction": _score(label, noise, challenger_strength)}
        if champion_strength is not None:
            table["champion"] = _score(label, noise, champion_strength)
        pl.DataFrame(table).write_parquet(tmp_path / "predictions.parquet")
        version = keys.pop("version", 3)
        result = challenger.run(
            predictions=tmp_path / "predictions.parquet",
            champion_version=version,
            label={"column": "y", "task": task},
            promotion={"resamples": 300, **keys},
            page=tmp_path / "page.html",
        )
        assert result.reason in (tmp_path / "page.html").read_text().replace("&#39;", "'")
        return result

    return run


def _score(label, noise, strength):
    return 1 / (1 + np.exp(-(strength * label + noise)))


def test_a_clearly_better_model_is_promoted(compare):
    result = compare(2.0, 1.0)
    assert result.blessed
    assert result.worst < 0
    assert result.probability_better > 0.99
    assert result.reason.startswith(f"promoted: auc {result.challenger:.4f} against")


def test_a_worse_model_is_not_promoted(compare):
    result = compare(1.0, 2.0)
    assert not result.blessed
    assert result.reason.startswith("not promoted: auc")
    assert "wanted below 0 (rule: better)" in result.reason


@pytest.mark.parametrize(
    ("rule", "blessed"),
    [({"rule": "better"}, False), ({"rule": "not_worse"}, True)],
)
def test_an_equal_model_follows_the_rule(compare, rule, blessed):
    result = compare(1.0, 1.0, **rule)
    assert result.worst == 0
    assert result.blessed is blessed


@pytest.mark.parametrize(("margin", "blessed"), [(0.001, False), (0.2, True)])
def test_a_little_worse_is_accepted_within_the_margin_only(compare, margin, blessed):
    result = compare(0.9, 1.0, rule="not_worse", margin=margin)
    assert result.challenger < result.champion
    assert result.blessed is blessed


def test_better_on_average_is_not_enough_without_confidence(compare):
    rng_gap = compare(1.02, 1.0, rows=60)
    sure = compare(1.6, 1.0, rows=60, confidence=0.5)
    assert rng_gap.worst > sure.worst
    assert sure.blessed


def test_without_a_champion_the_model_is_promoted(compare):
    result = compare(champion_strength=None, version=0)
    assert result.blessed
    assert result.champion is None
    assert result.reason == "promoted without a comparison: nothing has been pushed yet"


def test_a_champion_that_cannot_answer_is_named(compare):
    result = compare(champion_strength=None, version=3)
    assert result.blessed
    assert "the champion, version 3, cannot answer on these rows" in result.reason


def test_smaller_errors_are_better_in_regression(compare):
    good, bad = compare(9.0, 0.1, task="regression"), compare(0.1, 9.0, task="regression")
    assert (good.metric, good.blessed, bad.blessed) == ("root_mean_squared_error", True, False)


def test_calibration_is_best_at_one_from_both_sides(compare):
    assert compare(0.5, 3.0, metric="calibration").challenger == pytest.approx(1.27, abs=0.3)


def test_resamples_without_a_positive_row_do_not_block_a_better_model(compare):
    result = compare(9.0, 0.0, positives=0.0, rows=200)
    assert np.isfinite(result.worst)
    assert result.blessed


def test_a_metric_of_another_task_is_refused(compare):
    with pytest.raises(ConfigError) as caught:
        compare(metric="root_mean_squared_error")
    assert "is not a metric of binary_classification" in caught.value.message


def test_the_same_rows_give_the_same_answer(compare):
    assert compare(1.1, 1.0) == compare(1.1, 1.0)
