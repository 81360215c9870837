"""Runs a model file: TensorFlow Lite by ai-edge-litert, ONNX by ONNX Runtime.

An engine takes and gives lists of arrays in the order of the file's inputs and outputs. It is not
safe for several threads at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from .errors import EdgeError

Array = np.ndarray


class Engine(Protocol):
    """A model file that is ready to answer."""

    def one(self, arrays: Sequence[Array]) -> list[Array]:
        """Answers for one row: each array's first dimension is 1."""

    def many(self, arrays: Sequence[Array]) -> list[Array]:
        """Answers for as many rows as the arrays' first dimension has."""


def engine(path: Path, threads: int) -> Engine:
    """Opens a model file.

    Args:
        path: A ``.tflite`` or ``.onnx`` file.
        threads: How many threads one call may use.

    Raises:
        EdgeError: what runs such files is not installed, or refuses this one.
    """
    made = OnnxEngine if path.suffix == ".onnx" else TfliteEngine
    needed = "onnxruntime" if path.suffix == ".onnx" else "ai-edge-litert"
    try:
        return made(path, threads)
    except ImportError as error:
        raise EdgeError(
            f"{path.name} needs the package {needed}: {error}.", fix=f"pip install {needed}"
        ) from None
    except (ValueError, RuntimeError) as error:
        raise EdgeError(
            f"{path.name} cannot be loaded: {error}",
            fix="Fetch the bundle again, and see which versions its manifest.json asks for.",
        ) from None


class TfliteEngine:
    """One interpreter for single rows, and another, made when it is needed, for many.

    A resize allocates all tensors anew; that single rows have an interpreter of their own keeps
    them fast whatever was asked in between.
    """

    def __init__(self, path: Path, threads: int) -> None:
        self._content = path.read_bytes()
        self._threads = threads
        self._single = self._interpreter()
        self._inputs = [one["index"] for one in self._single.get_input_details()]
        self._outputs = [one["index"] for one in self._single.get_output_details()]
        self._batch: Any = None
        self._rows = 0
        # Weights whose batch is fixed take their rows one by one.
        shapes = [one["shape_signature"] for one in self._single.get_input_details()]
        self._resizable = all(shape[0] == -1 for shape in shapes)

    def one(self, arrays: Sequence[Array]) -> list[Array]:
        """See :class:`Engine`."""
        return self._ask(self._single, arrays)

    def many(self, arrays: Sequence[Array]) -> list[Array]:
        """See :class:`Engine`."""
        rows = len(arrays[0])
        if not self._resizable:
            each = [self.one([array[row : row + 1] for array in arrays]) for row in range(rows)]
            return [np.concatenate(parts) for parts in zip(*each, strict=True)]
        if self._batch is None:
            self._batch = self._interpreter()
        interpreter = self._batch
        if rows != self._rows:
            for index, array in zip(self._inputs, arrays, strict=True):
                interpreter.resize_tensor_input(index, array.shape)
            interpreter.allocate_tensors()
            self._rows = rows
        return self._ask(interpreter, arrays)

    def _ask(self, interpreter: Any, arrays: Sequence[Array]) -> list[Array]:
        for index, array in zip(self._inputs, arrays, strict=True):
            interpreter.set_tensor(index, array)
        interpreter.invoke()
        return [interpreter.get_tensor(index) for index in self._outputs]

    def _interpreter(self) -> Any:
        from ai_edge_litert.interpreter import Interpreter

        interpreter = Interpreter(model_content=self._content, num_threads=self._threads)
        interpreter.allocate_tensors()
        return interpreter


class OnnxEngine:
    """A session of ONNX Runtime."""

    def __init__(self, path: Path, threads: int) -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # Memory of past calls is not kept: a device has little.
        options.enable_cpu_mem_arena = False
        self._session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
        self._names = [one.name for one in self._session.get_inputs()]

    def one(self, arrays: Sequence[Array]) -> list[Array]:
        """See :class:`Engine`."""
        feed = dict(zip(self._names, arrays, strict=True))
        return list(self._session.run(None, feed))

    many = one
