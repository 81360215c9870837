"""The evaluation of an exported model: TFMA's own format, scikit-learn's numbers."""

import polars as pl
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from headrace.components.evaluation.evaluator import evaluator
from headrace.components.shared.errors import ConfigError, DataError
from headrace.components.shared.model_store import MANIFEST


@pytest.fixture(scope="module")
def evaluate(trained, example_artifact, tmp_path_factory):
    def run(champion=None, model=None, **evaluation):
        place = tmp_path_factory.mktemp("evaluation")
        result = evaluator.run(
            source=example_artifact,
            model=model or trained[1],
            champion=champion or place / "none",
            label={"column": "y"},
            evaluation={"resamples": 100, "min_slice_rows": 20, **evaluation},
            target=place / "tfma",
            predictions=place / "predictions.parquet",
            page=place / "page.html",
        )
        return result, place

    return run


@pytest.fixture(scope="module")
def sliced(evaluate):
    return evaluate(slices=[["group"], ["group", "text"]], thresholds={"auc": {"min": 0.5}})


def by_group(rows, **values):
    return rows.filter(*(pl.col(name) == value for name, value in values.items()))


def test_tfma_loads_it_and_every_slice_equals_scikit_learn(sliced):
    import tensorflow_model_analysis as tfma

    result, place = sliced
    loaded = tfma.load_eval_result(str(place / "tfma"))
    found = {
        tuple(key): {
            name: v["doubleValue"] for name, v in out[""][""].items() if "doubleValue" in v
        }
        for key, out in loaded.slicing_metrics
    }
    assert len(found) == 1 + 2 + 2 * 4  # missing texts are a slice too
    assert result.rows.height == found[()]["example_count"]
    for key, metrics in found.items():
        rows = by_group(result.rows, **dict(key))
        assert metrics["example_count"] == rows.height
        assert metrics["mean_label"] == pytest.approx(rows["label"].mean())
        assert metrics["mean_prediction"] == pytest.approx(rows["prediction"].mean(), rel=1e-5)
        if rows["label"].n_unique() > 1:
            expected = roc_auc_score(rows["label"], rows["prediction"])
            assert metrics["auc"] == pytest.approx(expected, abs=1e-2)


def test_the_overall_metrics_equal_scikit_learn(sliced):
    result, _ = sliced
    label, shown = result.rows["label"], result.rows["prediction"]
    assert result.metrics["auc"] == pytest.approx(roc_auc_score(label, shown), abs=2e-3)
    assert result.metrics["auc_precision_recall"] == pytest.approx(
        average_precision_score(label, shown), abs=2e-2
    )
    assert result.metrics["calibration"] == pytest.approx(shown.sum() / label.sum(), rel=1e-4)


def test_predictions_are_kept_with_the_slice_columns(sliced):
    _, place = sliced
    kept = pl.read_parquet(place / "predictions.parquet")
    assert set(kept.columns) == {"label", "prediction", "group", "text"}
    assert "(missing)" in kept["text"].to_list()


def test_the_verdict_says_what_was_met(sliced):
    result, place = sliced
    assert result.blessed
    assert evaluator.verdict(result).endswith("1 thresholds met")
    assert "All 1 thresholds are met" in (place / "page.html").read_text()


def test_a_missed_threshold_names_metric_slice_value_and_limit(evaluate):
    result, place = evaluate(
        slices=[["group"]], thresholds={"auc": {"min": 0.999, "slices": ["group"]}}
    )
    assert not result.blessed
    assert "3 of 3 thresholds missed, first: auc on overall is 0." in evaluator.verdict(result)
    assert "wanted at least 0.999" in evaluator.verdict(result)
    assert "not blessed" in (place / "page.html").read_text()


def test_a_champion_answers_on_the_same_rows(evaluate, trained):
    (trained[1] / MANIFEST).parent.mkdir(parents=True, exist_ok=True)
    (trained[1] / MANIFEST).write_text("{}")
    result, _ = evaluate(champion=trained[1], thresholds={"auc": {"max_worse": 0.01}})
    assert result.rows["champion"].equals(result.rows["prediction"].rename("champion"))
    assert result.blessed
    assert len(result.checks) == 1


def test_a_champion_that_cannot_answer_is_told_in_the_report(evaluate, tmp_path):
    (tmp_path / MANIFEST).parent.mkdir(parents=True)
    (tmp_path / MANIFEST).write_text("{}")
    result, place = evaluate(champion=tmp_path)
    assert "champion" not in result.rows.columns
    assert "champion could not be asked" in (place / "page.html").read_text()


def test_a_model_that_answers_nan_is_refused(evaluate, monkeypatch):
    import numpy as np

    from headrace.components.evaluation.evaluator import predictions

    original = predictions.predict

    def spoilt(*arguments):
        answers = original(*arguments)
        answers[:3] = np.nan
        return answers

    monkeypatch.setattr(predictions, "predict", spoilt)
    with pytest.raises(DataError, match="answers NaN or infinity on 3 of"):
        evaluate()


def test_a_slice_column_that_is_not_there_gets_the_nearest_name(evaluate):
    with pytest.raises(ConfigError) as caught:
        evaluate(slices=[["grup"]])
    assert "evaluation.slices names 'grup'" in caught.value.message
    assert "'group'" in caught.value.fix
