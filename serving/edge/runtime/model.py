"""The model of a bundle, ready to answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .engines import engine
from .errors import EdgeError
from .features import Features
from .preprocessing import Preprocessing

Array = np.ndarray

#: A batch is computed in parts of so many rows, so that memory stays small.
ROWS_AT_ONCE = 4096


class EdgeModel:
    """One variant of a bundle's model: loaded, and warm.

    Not safe for several threads at once: one row after the other, or a model per thread.

    Attributes:
        variant: Its name.
        outputs: Names of what it answers.

    Args:
        bundle: Folder with ``manifest.json``.
        variant: ``float32``, ``float16``, ``dynamic_int8``, ``int8`` or ``onnx``; without one, the
            bundle's default.
        threads: How many threads one call may use.

    Raises:
        EdgeError: the bundle is not usable, or has no such variant.
    """

    def __init__(self, bundle: str | Path, variant: str | None = None, threads: int = 1) -> None:
        folder = Path(bundle)
        manifest = _manifest(folder)
        self.variant = variant or manifest["default"]
        if self.variant not in manifest["variants"]:
            raise EdgeError(
                f"{folder} has no variant {self.variant!r}.",
                fix=f"It has {', '.join(sorted(manifest['variants']))}.",
            )
        description = manifest["variants"][self.variant]
        self.outputs: list[str] = manifest["outputs"]
        self._preprocessing = None
        self._features = Features(manifest["raw_inputs"])
        if (folder / "preprocessing.json").exists():
            self._preprocessing = Preprocessing.load(folder / "preprocessing.json")
        self._inputs = [(one["name"], _encoder(one)) for one in description["inputs"]]
        decoders = [_decoder(one) for one in description["outputs"]]
        self._answers = list(zip(self.outputs, decoders, strict=True))
        self._engine = engine(folder / description["file"], threads)
        self._engine.one([_zeros(one) for one in description["inputs"]])

    def predict(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Answers for one row.

        Args:
            row: Raw feature to its value; ``None`` is missing.

        Returns:
            Output name to a number, or to an array where the model gives a vector.

        Raises:
            EdgeError: a feature is unknown, absent or of a wrong type.
        """
        return self.predict_transformed(self.transform(row))

    def predict_batch(self, columns: Mapping[str, Any]) -> dict[str, Array]:
        """Answers for many rows.

        Args:
            columns: Raw feature to an array or a list of shape ``[rows]``; ``None`` is missing.

        Returns:
            Output name to an array of shape ``[rows]``, or ``[rows, n]`` for vectors.

        Raises:
            EdgeError: a feature is unknown, absent or of a wrong type.
        """
        return self.predict_transformed_batch(self.transform_batch(columns))

    def predict_transformed_batch(self, features: Mapping[str, Array]) -> dict[str, Array]:
        """Answers for many rows of what the model file takes; :meth:`transform_batch` gives it."""
        rows = len(next(iter(features.values()), ()))
        parts = []
        for start in range(0, rows, ROWS_AT_ONCE):
            stop = start + ROWS_AT_ONCE
            arrays = [encode(features[name][start:stop]) for name, encode in self._inputs]
            parts.append(self._engine.many(arrays))
        if not parts:
            return {name: np.empty(0, np.float32) for name in self.outputs}
        answers = [np.concatenate(each) for each in zip(*parts, strict=True)]
        return {
            name: _flat(decode(answer))
            for (name, decode), answer in zip(self._answers, answers, strict=True)
        }

    def predict_transformed(self, features: Mapping[str, Array]) -> dict[str, Any]:
        """Answers for one row of what the model file takes, as :meth:`transform` gives it."""
        answers = self._engine.one([encode(features[name]) for name, encode in self._inputs])
        found = {}
        for (name, decode), answer in zip(self._answers, answers, strict=True):
            value = decode(answer)
            found[name] = value.item() if value.size == 1 else value.reshape(-1)
        return found

    def transform(self, row: Mapping[str, Any]) -> dict[str, Array]:
        """What the model file takes for a row; raises what :meth:`predict` does."""
        if self._preprocessing:
            return self._preprocessing.transform_row(row)
        arrays, _ = self._features.columns({name: [value] for name, value in row.items()})
        return arrays

    def transform_batch(self, columns: Mapping[str, Any]) -> dict[str, Array]:
        """What the model file takes for many rows; raises what :meth:`predict_batch` does."""
        if self._preprocessing:
            return self._preprocessing.transform(columns)
        arrays, _ = self._features.columns(columns)
        return arrays


def _manifest(folder: Path) -> dict[str, Any]:
    path = folder / "manifest.json"
    try:
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise EdgeError(
            f"{path} cannot be read: {error}", fix="Name the folder of an unpacked bundle."
        ) from None
    if manifest.get("format") != 1:
        raise EdgeError(
            f"{path} has format {manifest.get('format')!r}; 1 is understood.",
            fix="Use the headrace_edge package that came with the bundle.",
        )
    return manifest


def _encoder(tensor: Mapping[str, Any]) -> Callable[[Array], Array]:
    """Brings a feature to the shape and type of the file's input."""
    rest = tuple(tensor["shape"][1:])
    shape = (-1, *rest)
    if tensor["dtype"] == "string":
        return lambda values: values.astype(np.str_).reshape(shape)
    dtype = np.dtype(tensor["dtype"])
    if not tensor.get("scale"):

        def fit(values: Array) -> Array:
            if values.dtype == dtype and values.shape[1:] == rest:
                return values  # as nearly always; the two calls below take a microsecond
            return values.astype(dtype, copy=False).reshape(shape)

        return fit
    scale, zero = np.float32(tensor["scale"]), tensor["zero_point"]
    limits = np.iinfo(dtype)

    def quantise(values: Array) -> Array:
        steps = np.clip(np.rint(values / scale) + zero, limits.min, limits.max)
        return np.asarray(steps, dtype).reshape(shape)

    return quantise


def _decoder(tensor: Mapping[str, Any]) -> Callable[[Array], Array]:
    """Brings the file's output to real numbers."""
    if not tensor.get("scale"):
        return lambda values: values
    scale, zero = np.float32(tensor["scale"]), tensor["zero_point"]
    return lambda values: np.asarray((values.astype(np.float32) - zero) * scale)


def _zeros(tensor: Mapping[str, Any]) -> Array:
    shape = [1 if size == -1 else size for size in tensor["shape"]]
    return np.zeros(shape, np.str_ if tensor["dtype"] == "string" else tensor["dtype"])


def _flat(answer: Array) -> Array:
    """One number per row has no second dimension."""
    return answer.reshape(-1) if answer.ndim == 2 and answer.shape[1] == 1 else answer
