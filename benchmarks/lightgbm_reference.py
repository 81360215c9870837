"""LightGBM on a project's own features and split: the bar that the pushed Keras model must meet."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import polars as pl

PARAMETERS: dict[str, Any] = {
    "objective": "binary",
    "metric": "auc",
    "learning_rate": 0.05,
    "num_leaves": 63,
    "min_data_in_leaf": 200,
    "feature_fraction": 0.5,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "lambda_l2": 10.0,
    "cat_smooth": 50,
    "cat_l2": 50,
    "verbose": -1,
    "deterministic": True,
    "force_row_wise": True,
}
ROUNDS = 1500
PATIENCE = 100


def train_lightgbm(
    train: pl.DataFrame,
    eval: pl.DataFrame,
    test: pl.DataFrame,
    label: str,
    features: list[str],
    *,
    seed: int = 17,
    threads: int = 2,
) -> dict[str, float]:
    """Train with early stopping on `eval` and measure on `test`.

    Text columns are LightGBM categories. A value that `train` does not have counts as missing,
    as does a null.

    Args:
        train: Rows to fit.
        eval: Rows that decide when to stop.
        test: Rows to measure on.
        label: Column of 0 and 1.
        features: Columns that the model may see.
        seed: Seed of the row and feature sampling.
        threads: Threads for training.

    Returns:
        `test_auc`, `test_ap` (average precision), `eval_auc`, `eval_ap`, the number of `trees`,
        and `seconds` for encoding and fitting.
    """
    import lightgbm
    from sklearn.metrics import average_precision_score, roc_auc_score

    started = time.perf_counter()
    texts = [name for name in features if train.schema[name] == pl.String]
    categories = {name: train[name].drop_nulls().unique().sort() for name in texts}
    matrices = {
        name: _matrix(frame, features, categories)
        for name, frame in (("train", train), ("eval", eval), ("test", test))
    }
    options: dict[str, Any] = {"feature_name": features, "categorical_feature": texts}
    fitted = lightgbm.Dataset(matrices["train"], train[label].to_numpy(), **options)
    watched = lightgbm.Dataset(matrices["eval"], eval[label].to_numpy(), reference=fitted)
    model = lightgbm.train(
        {**PARAMETERS, "seed": seed, "num_threads": threads},
        fitted,
        num_boost_round=ROUNDS,
        valid_sets=[watched],
        callbacks=[lightgbm.early_stopping(PATIENCE, verbose=False)],
    )
    seconds = time.perf_counter() - started
    result = {"trees": float(model.best_iteration), "seconds": seconds}
    for name, frame in (("eval", eval), ("test", test)):
        truth, answer = frame[label].to_numpy(), model.predict(matrices[name])
        result[f"{name}_auc"] = float(roc_auc_score(truth, answer))
        result[f"{name}_ap"] = float(average_precision_score(truth, answer))
    return result


def _matrix(
    frame: pl.DataFrame, features: list[str], categories: dict[str, pl.Series]
) -> np.ndarray:
    """Encode features as float32, texts as the position of their value in `categories`."""
    columns = [
        pl.col(name).replace_strict(
            categories[name], range(len(categories[name])), default=None, return_dtype=pl.Float32
        )
        if name in categories
        else pl.col(name).cast(pl.Float32)
        for name in features
    ]
    return frame.select(columns).to_numpy()
