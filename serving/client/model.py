"""What a client knows of models: signatures, states, answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from headrace.serving.gateway.tensor_protos import Array, dtype_of


@dataclass(frozen=True)
class TensorSpec:
    """One input or output.

    Attributes:
        type: TensorFlow's ``DataType``.
        shape: Sizes, None for one that may vary; None altogether for any shape.
    """

    type: int
    shape: tuple[int | None, ...] | None

    @property
    def dtype(self) -> np.dtype[Any]:
        """NumPy's type; texts are objects.

        Raises:
            PredictionError: NumPy has none.
        """
        return dtype_of(self.type)


@dataclass(frozen=True)
class Signature:
    """What a model takes and gives, by name."""

    inputs: Mapping[str, TensorSpec]
    outputs: Mapping[str, TensorSpec]


@dataclass(frozen=True)
class Prediction:
    """A model's answer.

    Attributes:
        outputs: Array by output name; texts are ``bytes`` objects.
        version: Which version answered; None over REST, which does not say.
    """

    outputs: Mapping[str, Array]
    version: int | None


def signatures_of(definitions: Any) -> dict[str, Signature]:
    """The signatures in a ``SignatureDefMap``."""
    return {
        name: Signature(_specs(definition.inputs), _specs(definition.outputs))
        for name, definition in sorted(definitions.signature_def.items())
        if not name.startswith("__")  # TensorFlow's own, which nobody calls
    }


def _specs(tensors: Any) -> dict[str, TensorSpec]:
    return {name: _spec(info) for name, info in sorted(tensors.items())}


def _spec(info: Any) -> TensorSpec:
    if info.tensor_shape.unknown_rank:
        return TensorSpec(info.dtype, None)
    sizes = (dim.size for dim in info.tensor_shape.dim)
    shape = tuple(None if size < 0 else size for size in sizes)
    return TensorSpec(info.dtype, shape)
