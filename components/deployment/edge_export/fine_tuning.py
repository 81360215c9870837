"""Fine-tuning for devices: weights that bear 8 bits, or of which many are zero.

The exported model learns from itself: its matrices are changed until it gives the answers that it
gave before. That is what the gate asks for, and it needs neither labels nor the project's code
(distillation, as in Polino et al., 2018, "Model compression via distillation and quantization").
tensorflow-model-optimization has both treatments for Keras 2 models alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np

from headrace.components.deployment.edge_export.flat import Flat
from headrace.components.shared.config.edge import FineTuning
from headrace.components.shared.errors import ProjectCodeError

_SEED = 1
_BATCH = 256
_RATE = 1e-3
_LOSSES = {"binary_classification": "binary_crossentropy", "regression": "mean_squared_error"}
#: Batches between two choices of the weights that are zero.
_PRUNE_EVERY = 10
#: Share of the batches after which no more weights become zero.
_PRUNE_UNTIL = 0.75

Tensors = Mapping[str, np.ndarray]


def quantisation_aware(
    flat: Flat, rows: Tensors, representative: Tensors, settings: FineTuning, task: str
) -> Flat:
    """Trains the matrices while they, and what they multiply, have 8 bits.

    They are rounded on the way forward, and change as if they were not ("straight-through", Jacob
    et al., 2018, "Quantization and training of neural networks for efficient
    integer-arithmetic-only inference").

    Args:
        flat: The model.
        rows: What it takes, from the training split.
        representative: The same, with the range of numbers that 8 bits hold.
        settings: How long.
        task: Task of the label.

    Raises:
        ProjectCodeError: there is no matrix to train.
    """
    return _trained(flat, flat.quantised(_ranges(flat, representative)), rows, settings, task, True)


def pruned(flat: Flat, rows: Tensors, settings: FineTuning, task: str) -> Flat:
    """Trains the matrices while more and more of their smallest weights become zero.

    Args:
        flat: The model.
        rows: What it takes, from the training split.
        settings: How long, and how many weights.
        task: Task of the label.

    Raises:
        ProjectCodeError: there is no matrix to train.
    """
    return _trained(flat, flat, rows, settings, task, False)


def sparsity_at(progress: float, final: float) -> float:
    """Share of weights that are zero when so much of the ramp is done.

    ``s (1 - (1 - progress)^3)``: Zhu and Gupta, 2017, "To prune, or not to prune", from 0.
    """
    return float(final * (1 - (1 - min(progress, 1.0)) ** 3))


def _ranges(flat: Flat, rows: Tensors) -> dict[str, tuple[float, float]]:
    """Input of each multiplication to the least and largest number in it, 0 among them."""
    import tensorflow as tf

    names = [node.input[0] for node in flat.multiplications()]

    @tf.function  # type: ignore[untyped-decorator]
    def inputs(features: Mapping[str, Any]) -> Any:
        tensors = [name if ":" in name else f"{name}:0" for name in names]
        return flat.tensors(features, tensors, {})

    found = inputs({name: tf.constant(values) for name, values in rows.items()})
    return {
        name: (min(float(np.min(values)), 0.0), max(float(np.max(values)), 1e-6))
        for name, values in zip(names, found, strict=True)
    }


def _trained(
    flat: Flat, student: Flat, rows: Tensors, settings: FineTuning, task: str, rounded: bool
) -> Flat:
    """``flat`` with the matrices with which ``student`` answers most like ``flat``."""
    import keras

    if not flat.matrices():
        raise ProjectCodeError(
            "the model multiplies by no matrix of weights, so that nothing can be fine-tuned",
            fix="Take `int8_aware` and `pruned` out of edge.variants in project.yaml.",
        )
    answers = _network()(flat, False).predict(dict(rows), batch_size=_BATCH, verbose=0)
    network = _network()(student, rounded)
    rate = keras.optimizers.schedules.CosineDecay(_RATE, settings.batches)
    network.compile(keras.optimizers.Adam(rate), _LOSSES[task], jit_compile=False)
    order = _order(len(answers), settings.batches)
    network.fit(
        {name: values[order] for name, values in rows.items()},
        answers[order],
        batch_size=_BATCH,
        shuffle=False,
        verbose=0,
        callbacks=[] if rounded else [_pruning()(settings.sparsity, settings.batches)],
    )
    return flat.exchanged({name: kernel.numpy() for name, kernel in network.kernels.items()})


def _order(rows: int, batches: int) -> np.ndarray:
    """Row numbers for all batches: every row in a new order, as often as it takes."""
    random = np.random.default_rng(_SEED)
    rounds = -(-batches * _BATCH // rows)
    order = np.concatenate([random.permutation(rows) for _ in range(rounds)])
    return order[: batches * _BATCH]


@cache
def _network() -> Any:
    import keras
    import tensorflow as tf

    class Network(keras.Model):  # type: ignore[misc]
        """A flat model whose matrices are trained."""

        def __init__(self, flat: Flat, rounded: bool) -> None:
            super().__init__()
            self.kernels = {
                name: self.add_weight(
                    shape=value.shape, initializer=lambda *_, value=value, **__: value
                )
                for name, value in flat.matrices().items()
            }
            self._rounded = rounded
            # A function of its own: gradients do not see operations that are imported beside them.
            self._answers = tf.function(flat)

        def call(self, features: Any) -> Any:
            """Answers for rows."""
            form = _in_8_bits if self._rounded else tf.convert_to_tensor
            return self._answers(features, {name: form(k) for name, k in self.kernels.items()})

    return Network


def _in_8_bits(kernel: Any) -> Any:
    """Weights in 255 steps with a scale per channel, as TensorFlow Lite stores them."""
    import tensorflow as tf

    others = list(range(len(kernel.shape) - 1))
    limits = tf.stop_gradient(tf.maximum(tf.reduce_max(tf.abs(kernel), axis=others), 1e-6))
    return tf.quantization.fake_quant_with_min_max_vars_per_channel(
        kernel, -limits, limits, narrow_range=True
    )


@cache
def _pruning() -> Any:
    import keras

    class Pruning(keras.callbacks.Callback):  # type: ignore[misc]
        """Makes the smallest weights of each matrix zero, more of them from time to time."""

        def __init__(self, sparsity: float, batches: int) -> None:
            super().__init__()
            self._sparsity = sparsity
            self._batches = batches
            self._done = 0
            self._kept: dict[str, np.ndarray] = {}

        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            """Keeps at zero what is zero."""
            if self._done % _PRUNE_EVERY == 0 or self._done == self._batches - 1:
                share = sparsity_at(self._done / (_PRUNE_UNTIL * self._batches), self._sparsity)
                for name, kernel in self.model.kernels.items():
                    self._kept[name] = _largest(kernel.numpy(), share)
            for name, kernel in self.model.kernels.items():
                kernel.assign(kernel.numpy() * self._kept[name])
            self._done += 1

    return Pruning


def _largest(kernel: np.ndarray, sparsity: float) -> np.ndarray:
    """1 for the weights that stay, 0 for the share of the smallest."""
    kept = np.ones(kernel.size, kernel.dtype)
    smallest = np.argsort(np.abs(kernel), axis=None, kind="stable")
    kept[smallest[: round(sparsity * kernel.size)]] = 0
    return kept.reshape(kernel.shape)
