"""KerasTuner's algorithms, fitting on arrays, with k-fold cross-validation as an option."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from headrace.components.shared.config.model import Tuning
from headrace.components.shared.errors import ConfigError
from headrace.components.shared.text import nearest


def make_tuner(build: Callable[[Any], Any], settings: Tuning, objective: Any, scratch: Path) -> Any:
    """The tuner that ``settings.algorithm`` names.

    Args:
        build: Hyperparameters to a compiled model.
        settings: The search.
        objective: ``keras_tuner.Objective``.
        scratch: Folder for trial state.

    Returns:
        A tuner whose ``search`` takes ``rows``, ``labels``, ``validation`` and ``batch_size``.
    """
    import keras_tuner

    base: Any
    options: dict[str, Any]
    if settings.algorithm == "hyperband":
        base, options = keras_tuner.Hyperband, {"max_epochs": settings.epochs, "factor": 3}
    elif settings.algorithm == "grid":
        base, options = keras_tuner.GridSearch, {"max_trials": settings.trials}
    else:
        base = keras_tuner.RandomSearch
        options = {"max_trials": settings.trials}

    class ArrayTuner(base):  # type: ignore[misc]
        """Fits on arrays; with folds, each trial reports one result per fold, which is averaged."""

        def run_trial(self, trial: Any, **data: Any) -> Any:
            epochs = trial.hyperparameters.values.get("tuner/epochs", settings.epochs)
            parts = _folds(settings, **data)
            return [self._fit(trial, part, epochs, data["batch_size"]) for part in parts]

        def _fit(self, trial: Any, part: Any, epochs: int, batch_size: int) -> dict[str, float]:
            train, validation = part
            model = self.hypermodel.build(trial.hyperparameters)
            fitted = model.fit(
                *train,
                validation_data=validation,
                epochs=epochs,
                batch_size=batch_size,
                verbose=2,
            )
            if objective.name not in fitted.history:
                raise ConfigError(
                    f"tuning.objective {objective.name!r} is not among the model's metrics.",
                    fix=nearest(objective.name, fitted.history),
                )
            best = max if objective.direction == "max" else min
            return {objective.name: best(fitted.history[objective.name])}

    return ArrayTuner(
        build,
        objective=objective,
        directory=scratch,
        project_name="tuning",
        overwrite=True,
        seed=settings.seed,
        max_consecutive_failed_trials=3,
        **options,
    )


def _folds(
    settings: Tuning, *, rows: dict[str, np.ndarray], labels: np.ndarray, validation: Any, **_: Any
) -> list[Any]:
    """Pairs of training and validation data: the eval split, or k parts of the training rows."""
    from sklearn.model_selection import KFold

    if settings.folds == 1:
        return [((rows, labels), validation)]

    def pick(index: np.ndarray) -> tuple[dict[str, np.ndarray], np.ndarray]:
        return {name: values[index] for name, values in rows.items()}, labels[index]

    splitter = KFold(settings.folds, shuffle=True, random_state=settings.seed)
    return [(pick(inside), pick(outside)) for inside, outside in splitter.split(labels)]
