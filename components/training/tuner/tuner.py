"""The work of ``tuner``: a KerasTuner search, or the defaults when no trial is asked for."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from headrace.components.shared import project_code
from headrace.components.shared.config.model import Training, Tuning
from headrace.components.shared.config.project import Label
from headrace.components.shared.errors import ProjectCodeError
from headrace.components.shared.text import markdown_table
from headrace.components.training import model_code
from headrace.components.training.hyperparameters import write_hyperparameters
from headrace.components.training.transform.materialize import read_arrays
from headrace.components.training.tuner.search import make_tuner

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Trial:
    """One set of hyperparameters and how well it did."""

    name: str
    score: float | None
    values: dict[str, Any]


@dataclass(frozen=True)
class Result:
    """The search's outcome, best trial first; empty when nothing was searched."""

    objective: str = ""
    trials: list[Trial] = field(default_factory=list)


def run(
    *,
    transformed: Path,
    graph: Path,
    code: Mapping[str, str],
    label: Mapping[str, Any],
    training: Mapping[str, Any],
    tuning: Mapping[str, Any],
    target: Path,
) -> Result:
    """Searches the hyperparameters that ``build_model`` declares.

    Args:
        transformed: Examples artifact of transformed features.
        graph: TransformGraph artifact.
        code: Project files by name.
        label: Keys of :class:`Label`.
        training: Keys of :class:`Training`, for the batch size.
        tuning: Keys of :class:`Tuning`.
        target: HyperParameters artifact to write.

    Raises:
        ProjectCodeError: ``build_model`` fails, or no trial succeeded.
    """
    import keras
    import keras_tuner

    settings = Tuning.parse(tuning, where="tuning")
    if settings.trials == 0:
        write_hyperparameters(keras_tuner.HyperParameters(), target)
        return Result()
    column = Label.parse(label, where="label").column
    keras.utils.set_random_seed(settings.seed)
    rows = _sample(read_arrays(transformed, "train"), settings)
    held_out = read_arrays(transformed, "eval")
    with project_code.importable(code) as folder, tempfile.TemporaryDirectory() as scratch:
        model = model_code.build(folder, keras_tuner.HyperParameters(), graph)
        model_code.inputs_of(model, rows)
        objective = _objective(model, settings)
        tuner = make_tuner(
            lambda hp: model_code.build(folder, hp, graph), settings, objective, Path(scratch)
        )
        with project_code.blamed_on(folder, model_code.FILE), _stopped_search():
            tuner.search(
                rows={name: rows[name] for name in model.input},
                labels=rows[column],
                validation=(model_code.inputs_of(model, held_out), held_out[column]),
                batch_size=Training.parse(training, where="training").batch_size,
            )
        return _finish(tuner, objective.name, target)


def _objective(model: Any, settings: Tuning) -> Any:
    import keras_tuner

    name, mode = model_code.monitored(model)
    if settings.objective:
        name = settings.objective
        mode = "min" if "loss" in name or "error" in name else "max"
    return keras_tuner.Objective(name, mode)


def _sample(arrays: Arrays, settings: Tuning) -> Arrays:
    count = len(next(iter(arrays.values())))
    if count <= settings.max_rows:
        return arrays
    chosen = np.random.default_rng(settings.seed).choice(count, settings.max_rows, replace=False)
    chosen.sort()
    return {name: values[chosen] for name, values in arrays.items()}


def _finish(tuner: Any, objective: str, target: Path) -> Result:
    best = tuner.oracle.get_best_trials(len(tuner.oracle.trials))
    done = [trial for trial in best if trial.score is not None]
    if not done:
        # TFX's own tuner goes on with a failed trial's values here.
        messages = [trial.message for trial in tuner.oracle.trials.values() if trial.message]
        raise ProjectCodeError(
            f"No trial of the hyperparameter search succeeded. {_first_reason(messages)}".strip(),
            fix=f"Correct {model_code.FILE} or tuning.objective; the log has every trial's error. "
            "With tuning.trials: 0 the defaults of the model are used.",
        )
    write_hyperparameters(done[0].hyperparameters, target)
    trials = [Trial(t.trial_id, t.score, dict(t.hyperparameters.values)) for t in done]
    return Result(objective, trials)


@contextlib.contextmanager
def _stopped_search() -> Iterator[None]:
    """KerasTuner gives up after some failures in a row; what succeeded before still counts."""
    try:
        yield
    except RuntimeError as error:
        if "consecutive failures" not in str(error):
            raise
        print(str(error), flush=True)


def _first_reason(tracebacks: list[str]) -> str:
    """The line of the first trial's traceback that says what was raised."""
    if not tracebacks:
        return ""
    raised = [line for line in tracebacks[0].splitlines() if line[:1].strip()]
    said = next((line for line in raised[1:]), "")
    return f"The first one: {said.rpartition('.errors.')[2][:300]}" if said else ""


def summary(result: Result) -> str:
    """The trials as Markdown."""
    if not result.trials:
        return "# Tuning\n\nNo search: the defaults of model.py are used (`tuning.trials: 0`).\n"
    names = sorted({name for trial in result.trials for name in trial.values})
    head = ["trial", result.objective, *names]
    rows = [
        [trial.name, f"{trial.score:.5f}", *(trial.values.get(name, "") for name in names)]
        for trial in result.trials
    ]
    return "# Tuning\n\n" + markdown_table(head, rows)
