"""Building the project's Keras model, for the trainer and the tuner alike."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from headrace.components.shared import (
    project_code,
    tensorflow_env,  # noqa: F401
)
from headrace.components.shared.errors import ProjectCodeError

FILE = "model.py"


def build(folder: Path, hyperparameters: Any, graph: Path) -> Any:
    """Calls ``build_model(hp, transform)`` of the project.

    Args:
        folder: Where the project's files are.
        hyperparameters: ``keras_tuner.HyperParameters``.
        graph: TransformGraph artifact.

    Returns:
        A compiled Keras model.

    Raises:
        ProjectCodeError: it raises, or gives something else.
    """
    import keras
    import tensorflow_transform as tft

    function = project_code.load_function(folder, FILE, "build_model")
    with project_code.blamed_on(folder, FILE):
        model = function(hyperparameters, tft.TFTransformOutput(str(graph)))
    if not isinstance(model, keras.Model) or not isinstance(model.input, dict):
        raise ProjectCodeError(
            f"build_model returned {type(model).__name__}; a keras.Model whose inputs are a "
            "dictionary of transformed features was expected.",
            fix="Build it with keras.Model({name: keras.Input(...)}, output).",
        )
    if not model.compiled:
        raise ProjectCodeError(
            "build_model returned a model that is not compiled.",
            fix="Call model.compile(optimizer=..., loss=...) before returning it.",
        )
    return model


def inputs_of(model: Any, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The transformed features that the model takes.

    Raises:
        ProjectCodeError: the model asks for a feature that ``preprocessing_fn`` does not give.
    """
    lacking = sorted(set(model.input) - set(arrays))
    if lacking:
        raise ProjectCodeError(
            f"The model has inputs {', '.join(lacking)}, which preprocessing_fn does not give.",
            fix=f"It gives {', '.join(sorted(arrays))}; use these names in {FILE}.",
        )
    return {name: arrays[name] for name in model.input}


def monitored(model: Any) -> tuple[str, str]:
    """The validation metric to watch and its direction: AUC where compiled, else the loss."""
    # Keras creates the metric objects at the first fit; before that only their configuration
    # is there.
    compiled = json.dumps(model.get_compile_config().get("metrics"), default=str)
    return ("val_auc", "max") if '"name": "auc"' in compiled else ("val_loss", "min")
