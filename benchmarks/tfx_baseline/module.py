"""What Transform and Trainer call: the project's own preprocessing and model, in TFX's way."""

from __future__ import annotations

import importlib
import math
from pathlib import Path
from typing import Any

import keras
import keras_tuner
import tensorflow as tf
import tensorflow_transform as tft
from tfx.components.trainer.fn_args_utils import FnArgs
from tfx_bsl.tfxio import dataset_options

from headrace.components.training import model_code
from headrace.components.training.trainer.export import export

PREPROCESSING_FN = f"{__name__}.preprocessing_fn"
RUN_FN = f"{__name__}.run_fn"


def preprocessing_fn(inputs: dict[str, Any], custom_config: dict[str, Any]) -> dict[str, Any]:
    """Calls the project's function with the columns that the model may see."""
    function = importlib.import_module("preprocessing").preprocessing_fn
    hidden = set(custom_config["hidden"])
    result: dict[str, Any] = function({k: v for k, v in inputs.items() if k not in hidden})
    return result


def run_fn(arguments: FnArgs) -> None:
    """Trains as the component ``trainer`` does, on TFX's datasets, and exports the same model."""
    settings = arguments.custom_config
    keras.utils.set_random_seed(settings["seed"])
    output = tft.TFTransformOutput(arguments.transform_graph_path)
    model = importlib.import_module("model").build_model(keras_tuner.HyperParameters(), output)
    model.jit_compile = False
    folder = Path(arguments.model_run_dir)
    folder.mkdir(parents=True, exist_ok=True)
    best = folder / "best.weights.h5"
    watched, mode = model_code.monitored(model)
    model.fit(
        _dataset(arguments, arguments.train_files, output),
        validation_data=_dataset(arguments, arguments.eval_files, output),
        steps_per_epoch=arguments.train_steps,
        validation_steps=arguments.eval_steps,
        epochs=settings["epochs"],
        callbacks=[
            keras.callbacks.EarlyStopping(watched, mode=mode, patience=settings["patience"]),
            keras.callbacks.ModelCheckpoint(
                best, monitor=watched, mode=mode, save_best_only=True, save_weights_only=True
            ),
            keras.callbacks.TensorBoard(folder, write_graph=False),
        ],
        verbose=2,
    )
    model.load_weights(best)
    export(
        model,
        Path(arguments.transform_graph_path),
        Path(arguments.serving_model_dir),
        label=settings["label"],
        task=settings["task"],
    )


def steps(rows: int, batch_size: int) -> int:
    """Batches in one pass over ``rows``."""
    return math.ceil(rows / batch_size)


def _dataset(arguments: FnArgs, files: list[str], output: tft.TFTransformOutput) -> tf.data.Dataset:
    settings = arguments.custom_config
    options = dataset_options.TensorFlowDatasetOptions(
        batch_size=settings["batch_size"], label_key=settings["label"]
    )
    return arguments.data_accessor.tf_dataset_factory(
        files, options, output.transformed_metadata.schema
    )
