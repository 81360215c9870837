"""The Keras model: a small ensemble on piecewise-linear numbers and embedded categories.

Three ideas make a neural network as good as boosted trees on this kind of table:

* each number's rank is spread over a few ramps, so that the first layer can bend at every one of
  them (piecewise-linear encoding);
* the hidden layers are an ensemble whose members share their weight matrices and differ in cheap
  scales of inputs and outputs (BatchEnsemble, as in TabM);
* every member is trained as if it were alone, and their mean is the answer.
"""

from __future__ import annotations

import keras
import keras_tuner
import tensorflow_transform as tft
from keras import layers, ops

NUMBERS = "numeric"
CATEGORIES = ("carrier", "dest", "origin")


def build_model(hp: keras_tuner.HyperParameters, transform: tft.TFTransformOutput) -> keras.Model:
    """Build and compile the model.

    Args:
        hp: Search space; its defaults are the best values found on the October flights.
        transform: Gives the number of numeric features and the size of each vocabulary.
    """
    width = transform.transformed_feature_spec()[NUMBERS].shape[0]
    dropout = hp.Float("dropout", 0.0, 0.5, step=0.1, default=0.1)
    members = hp.Choice("members", [1, 4, 8, 16], default=8)

    inputs = {NUMBERS: keras.Input((width,), name=NUMBERS)}
    parts = [_numbers(inputs[NUMBERS], width, hp.Choice("ramps", [4, 8, 16], default=8))]
    for name in CATEGORIES:
        size = transform.vocabulary_size_by_name(name) + 1  # one index for unknown values
        inputs[name] = keras.Input((1,), name=name, dtype="int64")
        embedded = layers.Embedding(size, min(8, size), name=f"{name}_embedding")(inputs[name])
        parts.append(layers.Flatten()(embedded))

    hidden = layers.Concatenate()(parts)
    units = hp.Choice("units", [32, 64, 128], default=64)
    # Members differ from the first layer on: a layer that all share costs 0.002 of AUC.
    hidden = EnsembleInput(units, members, name="ensemble_1")(hidden)
    hidden = layers.Dropout(dropout)(hidden)
    hidden = EnsembleDense(units // 2, members, name="ensemble_2")(hidden)
    hidden = layers.Dropout(dropout)(hidden)
    model = keras.Model(inputs, EnsembleProbability(name="probability")(hidden))

    # The rate falls to nearly nothing over the usual run (4 epochs of 240 batches), which does
    # what averaging the weights would do and needs nothing after training.
    rate = hp.Float("learning_rate", 5e-4, 1e-2, sampling="log", default=3e-3)
    steps = hp.Int("decay_steps", 240, 4800, step=240, default=960)
    model.compile(
        optimizer=keras.optimizers.AdamW(
            keras.optimizers.schedules.CosineDecay(rate, steps, alpha=0.02), weight_decay=1e-3
        ),
        loss="binary_crossentropy",
        metrics=[keras.metrics.AUC(name="auc")],
    )
    return model


def _numbers(ranks: keras.KerasTensor, width: int, ramps: int) -> keras.KerasTensor:
    """Spread each rank over `ramps` ramps, and mark missing numbers (rank -1)."""
    spread = ops.reshape(ranks * ramps, (-1, width, 1)) - ops.arange(ramps, dtype="float32")
    ramped = ops.reshape(ops.clip(spread, 0.0, 1.0), (-1, width * ramps))
    return ops.concatenate([ramped, ops.relu(-ranks)], axis=-1)


@keras.saving.register_keras_serializable("flights")
class EnsembleDense(layers.Layer):
    """A dense ReLU layer for each member, from [batch, members, n] to [batch, members, units].

    Member i computes `relu(((x * scale_in[i]) @ kernel) * scale_out[i] + bias[i])`.
    """

    def __init__(self, units: int, members: int, **options: object):
        super().__init__(**options)
        self.units = units
        self.members = members

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create the shared kernel and the members' scales."""
        width, scales = input_shape[-1], self._scales()
        self.kernel = self.add_weight((width, self.units), "he_uniform", name="kernel")
        self.scale_in = self.add_weight((self.members, width), scales, name="scale_in")
        self.scale_out = self.add_weight((self.members, self.units), "ones", name="scale_out")
        self.bias = self.add_weight((self.members, self.units), "zeros", name="bias")

    def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        """Apply every member to its inputs."""
        return self._activated(ops.matmul(inputs * self.scale_in, self.kernel))

    def _scales(self) -> object:
        return "ones"

    def _activated(self, scaled: keras.KerasTensor) -> keras.KerasTensor:
        return ops.relu(scaled * self.scale_out + self.bias)

    def get_config(self) -> dict[str, object]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "units": self.units, "members": self.members}


@keras.saving.register_keras_serializable("flights")
class EnsembleInput(EnsembleDense):
    """The first layer, whose members have the same inputs: [batch, n]."""

    def call(self, inputs: keras.KerasTensor, training: bool | None = None) -> keras.KerasTensor:
        """Apply every member to the inputs.

        Training multiplies large batches with the kernels of all members at once: three quarters
        of the time that [batch, members, n] scaled inputs take. An exported model keeps the one
        small kernel.
        """
        if not training:
            return super().call(ops.expand_dims(inputs, 1))
        kernels = ops.transpose(self.scale_in)[:, :, None] * self.kernel[:, None, :]
        shared = ops.matmul(inputs, ops.reshape(kernels, (inputs.shape[-1], -1)))
        return self._activated(ops.reshape(shared, (-1, self.members, self.units)))

    def _scales(self) -> object:
        return keras.initializers.RandomNormal(1.0, 0.5)  # so that members come to differ


@keras.saving.register_keras_serializable("flights")
class EnsembleProbability(layers.Layer):
    """The members' answers as one probability: [batch, members, n] to [batch, 1]."""

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Create one logistic regression per member."""
        _, members, width = input_shape
        self.kernel = self.add_weight((members, width), "glorot_uniform", name="kernel")
        self.bias = self.add_weight((members,), "zeros", name="bias")

    def call(self, inputs: keras.KerasTensor, training: bool | None = None) -> keras.KerasTensor:
        """Average the members' logits.

        The cross-entropy of a logit z is softplus(z) - label * z. The loss of the mean logit and
        the mean of the members' losses therefore differ by a term without the label; adding it
        trains each member on its own, which keeps them diverse.
        """
        logits = ops.sum(inputs * self.kernel, axis=-1) + self.bias
        mean = ops.mean(logits, axis=-1, keepdims=True)
        if training:
            members = ops.mean(ops.softplus(logits), axis=-1, keepdims=True)
            self.add_loss(ops.mean(members - ops.softplus(mean)))
        return ops.sigmoid(mean)
