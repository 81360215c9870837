"""The search for hyperparameters, with every algorithm, and when nothing works."""

import json

import pytest

from headrace.components.shared.errors import ProjectCodeError
from headrace.components.training.hyperparameters import read_hyperparameters
from headrace.components.training.tuner import tuner


@pytest.fixture
def search(transformed, tmp_path, make_model_code):
    def run(code=None, **tuning):
        result = tuner.run(
            transformed=transformed / "examples",
            graph=transformed / "graph",
            code=code or make_model_code(),
            label={"column": "y"},
            training={"batch_size": 128},
            tuning={"epochs": 1, **tuning},
            target=tmp_path / "hyperparameters",
        )
        return result, read_hyperparameters(tmp_path / "hyperparameters")

    return run


def scores(result):
    return [trial.score for trial in result.trials]


def test_without_trials_the_defaults_of_the_model_are_used(search):
    result, best = search(trials=0)
    assert result.trials == []
    assert best.values == {}
    assert "defaults of model.py" in tuner.summary(result)


@pytest.mark.parametrize(("algorithm", "count"), [("random", 2), ("grid", 2)])
def test_the_best_trial_wins(search, algorithm, count):
    result, best = search(algorithm=algorithm, trials=count)
    assert len(result.trials) == count
    assert result.objective == "val_auc"
    assert scores(result) == sorted(scores(result), reverse=True)
    assert best.values["units"] == result.trials[0].values["units"]
    assert len({trial.values["units"] for trial in result.trials}) == count


def test_hyperband_gives_more_epochs_to_the_better_ones(search):
    result, best = search(algorithm="hyperband", trials=1, epochs=3)
    assert {trial.values["tuner/epochs"] for trial in result.trials} >= {1, 3}
    assert best.values["units"] in (4, 8, 12)


def test_folds_replace_the_eval_split(search, monkeypatch):
    from headrace.components.training.tuner import search as algorithms

    seen = []
    original = algorithms._folds

    def record(settings, **data):
        parts = original(settings, **data)
        seen.append([(len(train[1]), len(held_out[1])) for train, held_out in parts])
        return parts

    monkeypatch.setattr(algorithms, "_folds", record)
    result, _ = search(trials=1, folds=3)
    (parts,) = seen
    assert len(parts) == 3
    assert len({sum(part) for part in parts}) == 1
    assert sum(held_out for _, held_out in parts) == sum(parts[0])
    assert 0 < result.trials[0].score < 1


def test_the_objective_can_be_chosen(search):
    result, _ = search(trials=2, objective="val_loss", max_rows=100)
    assert result.objective == "val_loss"
    assert scores(result) == sorted(scores(result))


def test_a_trial_sees_no_more_rows_than_allowed(search, monkeypatch):
    taken = []
    original = tuner._sample

    def record(arrays, settings):
        result = original(arrays, settings)
        taken.append(len(result["y"]))
        return result

    monkeypatch.setattr(tuner, "_sample", record)
    search(trials=1, max_rows=50)
    assert taken == [50]


def test_the_result_is_the_file_that_tfx_writes(search, tmp_path):
    search(trials=0)
    text = (tmp_path / "hyperparameters" / "best_hyperparameters.txt").read_text()
    assert set(json.loads(text)) == {"space", "values"}


def test_when_all_trials_fail_the_step_fails_and_writes_nothing(search, make_model_code, tmp_path):
    text = make_model_code()["model.py"].replace(
        "    inputs = {", "    if hp.values:\n        raise RuntimeError('no luck')\n    inputs = {"
    )
    assert "no luck" in text
    with pytest.raises(ProjectCodeError) as caught:
        search(code={"model.py": text}, trials=2)
    assert "No trial of the hyperparameter search succeeded" in caught.value.message
    assert "RuntimeError: no luck" in caught.value.message
    assert "tuning.trials: 0" in caught.value.fix
    assert not (tmp_path / "hyperparameters").exists()


def test_an_objective_that_the_model_does_not_report_is_named(search):
    with pytest.raises(ProjectCodeError) as caught:
        search(trials=2, objective="val_f2")
    assert "tuning.objective 'val_f2' is not among the model's metrics" in caught.value.message
    assert "tuning.objective" in caught.value.fix


def test_the_summary_lists_all_trials():
    trials = [tuner.Trial("1", 0.75, {"units": 4}), tuner.Trial("0", 0.5, {"units": 8})]
    result = tuner.Result("val_auc", trials)
    text = tuner.summary(result)
    assert "| trial | val_auc | units |" in text
    assert all(f"{trial.score:.5f}" in text for trial in result.trials)
