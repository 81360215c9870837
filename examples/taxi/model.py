"""The model: embeddings of ids beside scaled numbers, and two dense layers."""

from __future__ import annotations

from typing import Any

import keras

IDS = {"trip_start_month_id": 13, "trip_start_hour_id": 24, "trip_start_day_id": 8}
TEXTS = ("company_group",)


def build_model(hp: Any, transform: Any) -> keras.Model:
    """Builds and compiles the model.

    Args:
        hp: ``keras_tuner.HyperParameters``; what is asked of it is the search space.
        transform: ``tft.TFTransformOutput``.

    Returns:
        A compiled model whose inputs are transformed features.
    """
    widths = {name: spec.shape[-1] for name, spec in transform.transformed_feature_spec().items()}
    inputs = {n: keras.Input((widths[n],), name=n) for n in ("numbers", "missing")}
    parts = list(inputs.values())
    sizes = {f"{name}_id": transform.vocabulary_size_by_name(name) + 1 for name in TEXTS}
    for name, size in {**IDS, **sizes}.items():
        inputs[name] = keras.Input((), name=name, dtype="int64")
        parts.append(keras.layers.Embedding(size, 4)(inputs[name]))
    hidden = keras.layers.Concatenate()(parts)
    units = hp.Int("units", 32, 128, step=32, default=64)
    for width in (units, units // 2):
        hidden = keras.layers.Dense(width, activation="relu")(hidden)
        hidden = keras.layers.Dropout(hp.Float("dropout", 0.0, 0.4, step=0.1, default=0.1))(hidden)
    probability = keras.layers.Dense(1, activation="sigmoid", name="probability")(hidden)
    model = keras.Model(inputs, probability)
    model.compile(
        optimizer=keras.optimizers.Adam(hp.Choice("learning_rate", [1e-3, 3e-3, 3e-4])),
        loss="binary_crossentropy",
        metrics=[keras.metrics.AUC(name="auc")],
    )
    return model
