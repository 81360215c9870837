"""What is converted: the whole served graph where TensorFlow Lite can run it, else the model."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from headrace.components.deployment.edge_export.flat import Flat, flatten, looks_up
from headrace.components.shared.errors import ConfigError, ProjectCodeError
from headrace.components.shared.signatures import MODEL_SIGNATURE, RAW_SIGNATURE


@dataclass(frozen=True)
class Graph:
    """A function of named tensors that TensorFlow Lite can run.

    Attributes:
        flat: Its operations.
        float32: The function as a TensorFlow Lite file.
        whole: It takes raw features; else transformed ones.
        reason: Why, for people.
    """

    flat: Flat
    float32: bytes
    whole: bool
    reason: str

    @property
    def inputs(self) -> Mapping[str, Any]:
        """Name to ``tf.TensorSpec``."""
        return self.flat.inputs


def choose(loaded: Any) -> Graph:
    """Takes the whole graph, preprocessing included, if every operation has a kernel on devices.

    Args:
        loaded: SavedModel that is loaded.

    Raises:
        ConfigError: it lacks a signature.
        ProjectCodeError: not even the model alone can be converted.
    """
    signatures = loaded.signatures
    for name in (RAW_SIGNATURE, MODEL_SIGNATURE):
        if name not in signatures:
            raise ConfigError(
                f"The model has no signature {name!r}, but {', '.join(signatures)}.",
                fix="Train it again: `trainer` exports that signature.",
            )
    try:
        whole, content = _try(signatures[RAW_SIGNATURE])
        return Graph(whole, content, True, "every operation has a kernel on devices")
    except _NoKernelError as missing:
        reason = f"on devices there is no kernel for {missing} of the preprocessing"
    try:
        return Graph(*_try(signatures[MODEL_SIGNATURE]), False, reason)
    except _NoKernelError as missing:
        raise ProjectCodeError(
            f"The model cannot run on devices: TensorFlow Lite has no kernel for {missing}.",
            fix="Use other layers in model.py, or take the section `edge` out of project.yaml.",
        ) from None


class _NoKernelError(Exception):
    """TensorFlow Lite cannot run some operations by itself; the text names them."""


def _try(function: Any) -> tuple[Flat, bytes]:
    from tensorflow.lite.python.convert_phase import ConverterError

    if looks_up(function):
        raise _NoKernelError("the tables")
    flat = flatten(function)
    try:
        with _silence():
            return flat, converter(flat).convert()
    except ConverterError as error:
        found = re.search(r"^(?:TF Select|Custom) ops: (.+)$", str(error), re.MULTILINE)
        raise _NoKernelError(found[1] if found else "an operation") from None


def converter(flat: Flat) -> Any:
    """A new ``tf.lite.TFLiteConverter``."""
    import tensorflow as tf

    function, holder = flat.function()
    return tf.lite.TFLiteConverter.from_concrete_functions([function], holder)


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Keeps C++ from writing the whole graph to the log of a step that goes on."""
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)
