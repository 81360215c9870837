"""What is converted: the whole served graph where TensorFlow Lite can run it, else the model."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from headrace.components.shared import tensorflow_env  # noqa: F401
from headrace.components.shared.errors import ConfigError, ProjectCodeError
from headrace.components.shared.signatures import MODEL_SIGNATURE, RAW_SIGNATURE


@dataclass(frozen=True)
class Graph:
    """A function of named tensors that TensorFlow Lite can run.

    Attributes:
        function: Concrete function.
        holder: Keeps what the function uses.
        float32: The function as a TensorFlow Lite file.
        whole: It takes raw features; else transformed ones.
        reason: Why, for people.
    """

    function: Any
    holder: Any
    float32: bytes
    whole: bool
    reason: str

    @property
    def inputs(self) -> Mapping[str, Any]:
        """Name to ``tf.TensorSpec``."""
        return _inputs(self.function)

    def converter(self) -> Any:
        """A new ``tf.lite.TFLiteConverter``."""
        return _converter(self.function, self.holder)


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
    raw = signatures[RAW_SIGNATURE]
    try:
        content = _convert(raw, loaded)
        return Graph(raw, loaded, content, True, "every operation has a kernel on devices")
    except _NoKernelError as missing:
        reason = f"on devices there is no kernel for {missing} of the preprocessing"
    function, holder = _alone(signatures[MODEL_SIGNATURE])
    try:
        return Graph(function, holder, _convert(function, holder), False, reason)
    except _NoKernelError as missing:
        raise ProjectCodeError(
            f"The model cannot run on devices: TensorFlow Lite has no kernel for {missing}.",
            fix="Use other layers in model.py, or take the section `edge` out of project.yaml.",
        ) from None


class _NoKernelError(Exception):
    """TensorFlow Lite cannot run some operations by itself; the text names them."""


def _convert(function: Any, holder: Any) -> bytes:
    from tensorflow.lite.python.convert_phase import ConverterError

    try:
        with _silence():
            return _converter(function, holder).convert()  # type: ignore[no-any-return]
    except ConverterError as error:
        found = re.search(r"^(?:TF Select|Custom) ops: (.+)$", str(error), re.MULTILINE)
        raise _NoKernelError(found[1] if found else "an operation") from None


def _converter(function: Any, holder: Any) -> Any:
    import tensorflow as tf

    return tf.lite.TFLiteConverter.from_concrete_functions([function], holder)


def _inputs(function: Any) -> Mapping[str, Any]:
    positional, named = function.structured_input_signature
    return positional[0] if positional else named  # type: ignore[no-any-return]


def _alone(function: Any) -> tuple[Any, Any]:
    """The function without the rest of the SavedModel, which every conversion would write again."""
    import tensorflow as tf

    holder = tf.Module()
    holder.kept = list(function.variables)

    @tf.function(input_signature=[dict(_inputs(function))])  # type: ignore[untyped-decorator]
    def call(features: Mapping[str, Any]) -> Any:
        return function(**features)

    holder.call = call
    return call.get_concrete_function(), holder


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
