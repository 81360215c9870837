"""TFX's HyperParameters artifact: ``best_hyperparameters.txt`` with KerasTuner's JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

FILE = "best_hyperparameters.txt"


def write_hyperparameters(hyperparameters: Any, folder: Path) -> None:
    """Writes a ``keras_tuner.HyperParameters``."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(hyperparameters.get_config(), indent=2, sort_keys=True)
    (folder / FILE).write_text(text)


def read_hyperparameters(folder: Path) -> Any:
    """Reads a ``keras_tuner.HyperParameters``."""
    import keras_tuner

    return keras_tuner.HyperParameters.from_config(json.loads((folder / FILE).read_text()))
