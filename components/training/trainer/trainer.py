"""The work of ``trainer``: fit, keep the best epoch, export."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headrace.components.shared import files, project_code
from headrace.components.shared.config.model import Training
from headrace.components.shared.config.project import Label
from headrace.components.shared.errors import DataError, StepError
from headrace.components.shared.text import markdown_table
from headrace.components.training import model_code
from headrace.components.training.hyperparameters import read_hyperparameters
from headrace.components.training.trainer.export import export
from headrace.components.training.transform.materialize import read_arrays


@dataclass(frozen=True)
class Result:
    """What training gave.

    Attributes:
        history: Metric name to one value per epoch.
        best: Metric name to its value in the exported epoch.
        parameters: Number of weights.
        features: Raw features that serving needs.
        hyperparameters: Name to value, defaults included.
    """

    history: dict[str, list[float]]
    best: dict[str, float]
    parameters: int
    features: list[str]
    hyperparameters: dict[str, Any]


def run(
    *,
    transformed: Path,
    graph: Path,
    hyperparameters: Path,
    code: Mapping[str, str],
    label: Mapping[str, Any],
    training: Mapping[str, Any],
    model: Path,
    model_run: Path,
) -> Result:
    """Trains and exports the project's model.

    Args:
        transformed: Examples artifact of transformed features.
        graph: TransformGraph artifact.
        hyperparameters: HyperParameters artifact from ``tuner``.
        code: Project files by name; ``model.py`` defines ``build_model``.
        label: Keys of :class:`Label`.
        training: Keys of :class:`Training`.
        model: Folder for the SavedModel.
        model_run: Folder for the best checkpoint, TensorBoard logs and the history.

    Raises:
        ProjectCodeError: ``build_model`` fails, or asks for a feature that is not there.
        StepError: the loss is not a number, or memory does not suffice.
    """
    import keras

    settings = Training.parse(training, where="training")
    target = Label.parse(label, where="label")
    keras.utils.set_random_seed(settings.seed)
    _set_precision(settings)
    hp = read_hyperparameters(hyperparameters)
    with project_code.importable(code) as folder:
        network = model_code.build(folder, hp, graph)
        network.jit_compile = settings.xla
        with project_code.blamed_on(folder, model_code.FILE):
            history = _fit(network, transformed, target.column, settings, model_run)
        epoch = _best_epoch(network, history)
        features = export(network, graph, model, label=target.column, task=target.task)
    result = Result(
        history=history,
        best={name: values[epoch] for name, values in history.items()},
        parameters=network.count_params(),
        features=features,
        hyperparameters=dict(hp.values),
    )
    files.write_json(model_run / "history.json", {"best_epoch": epoch + 1, **history})
    return result


def _set_precision(settings: Training) -> None:
    import keras
    import tensorflow as tf

    reduced = "mixed_float16" if tf.config.list_physical_devices("GPU") else "mixed_bfloat16"
    keras.config.set_dtype_policy(reduced if settings.mixed_precision else "float32")


def _fit(
    model: Any, transformed: Path, label: str, settings: Training, model_run: Path
) -> dict[str, list[float]]:
    import keras
    import tensorflow as tf

    train, evaluation = (read_arrays(transformed, split) for split in ("train", "eval"))
    if label not in train:
        raise DataError(
            f"preprocessing_fn does not pass the label {label!r} through.",
            fix=f"Add outputs[{label!r}] = inputs[{label!r}] to preprocessing.py.",
        )
    watched, mode = model_code.monitored(model)
    model_run.mkdir(parents=True, exist_ok=True)
    best = model_run / "best.weights.h5"
    callbacks = [
        keras.callbacks.EarlyStopping(watched, mode=mode, patience=settings.patience),
        keras.callbacks.ModelCheckpoint(
            best, monitor=watched, mode=mode, save_best_only=True, save_weights_only=True
        ),
        keras.callbacks.TensorBoard(model_run / "tensorboard", write_graph=False),
        keras.callbacks.TerminateOnNaN(),
    ]
    try:
        fitted = model.fit(
            model_code.inputs_of(model, train),
            train[label],
            validation_data=(model_code.inputs_of(model, evaluation), evaluation[label]),
            epochs=settings.epochs,
            batch_size=settings.batch_size,
            callbacks=callbacks,
            verbose=2,
        )
    except tf.errors.ResourceExhaustedError as error:
        raise StepError(
            f"Training ran out of memory: {str(error).splitlines()[0]}",
            fix="Lower training.batch_size or make the model in model.py smaller.",
        ) from None
    if best.exists():
        model.load_weights(best)
    return {name: [float(v) for v in values] for name, values in fitted.history.items()}


def _best_epoch(model: Any, history: dict[str, list[float]]) -> int:
    """The epoch whose weights were kept.

    Raises:
        StepError: its loss is not a number; Keras keeps the first epoch whatever its values.
    """
    watched, mode = model_code.monitored(model)
    values = history.get(watched, [])
    finite = [value for value in values if math.isfinite(value)]
    if not finite or not _is_sound(history, 0):
        raise StepError(
            "The loss became NaN in the first epoch, so no epoch can be kept.",
            fix="Lower the learning rate in model.py, and check that preprocessing scales numbers.",
        )
    return values.index(max(finite) if mode == "max" else min(finite))


def _is_sound(history: dict[str, list[float]], epoch: int) -> bool:
    return all(math.isfinite(history[name][epoch]) for name in ("loss", "val_loss"))


def summary(result: Result) -> str:
    """The training as Markdown: hyperparameters and one row per epoch."""
    names = list(result.history)
    rows = [
        [epoch, *(f"{value:.4f}" for value in values)]
        for epoch, values in enumerate(zip(*result.history.values(), strict=True), start=1)
    ]
    chosen = markdown_table(("hyperparameter", "value"), list(result.hyperparameters.items()))
    epochs = markdown_table(("epoch", *names), rows, numbers=range(len(names) + 1))
    return f"# Training\n\n{result.parameters:,} weights.\n\n{chosen}\n{epochs}"
