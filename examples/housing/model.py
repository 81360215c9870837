"""The model: a small network for a small table."""

from __future__ import annotations

from typing import Any

import keras

TYPICAL_PRICE = 22.0
TYPICAL_SPREAD = 9.0


def build_model(hp: Any, transform: Any) -> keras.Model:
    """Builds and compiles the model.

    Args:
        hp: ``keras_tuner.HyperParameters``; what is asked of it is the search space.
        transform: ``tft.TFTransformOutput``.

    Returns:
        A compiled model whose inputs are transformed features.
    """
    (width,) = transform.transformed_feature_spec()["numbers"].shape
    numbers = keras.Input((width,), name="numbers")
    hidden = numbers
    for _ in range(2):
        hidden = keras.layers.Dense(
            hp.Int("units", 16, 64, step=16, default=32),
            activation="relu",
            kernel_regularizer=keras.regularizers.L2(hp.Choice("l2", [1e-3, 1e-4, 1e-2])),
        )(hidden)
    scaled = keras.layers.Dense(1)(hidden)
    # Starting at the typical price, the network learns only deviations.
    price = keras.layers.Rescaling(TYPICAL_SPREAD, TYPICAL_PRICE, name="price")(scaled)
    model = keras.Model({"numbers": numbers}, price)
    model.compile(optimizer=keras.optimizers.Adam(3e-3), loss="mse")
    return model
