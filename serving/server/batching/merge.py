"""Concatenating requests into a batch, and cutting the batch's answer into theirs."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import numpy as np

from headrace.serving.server.batching.parameters import BatchingParameters
from headrace.serving.server.errors import Code, ServingError
from headrace.serving.server.seam import Array

Values = Sequence[Array]


def rows_of(values: Values) -> int:
    """The common size of the first dimension.

    Raises:
        ServingError: INVALID_ARGUMENT, there is none.
    """
    if not values:
        raise ServingError(
            Code.INVALID_ARGUMENT, "Batching Run() must have at least one input tensor"
        )
    for value in values:
        if value.ndim == 0:
            raise ServingError(
                Code.INVALID_ARGUMENT,
                "Batching Run() input tensors must have at least one dimension",
            )
    rows: int = values[0].shape[0]
    for value in values:
        if value.shape[0] != rows:
            raise ServingError(
                Code.INVALID_ARGUMENT,
                "Batching Run() input tensors must have equal 0th-dimension size",
            )
    return rows


def merge(tasks: Sequence[Values], names: Sequence[str], parameters: BatchingParameters) -> Values:
    """One value per input for all tasks together, filled up to an allowed size.

    Raises:
        ServingError: FAILED_PRECONDITION, the rows do not fit together and may not be padded.
    """
    rows = sum(values[0].shape[0] for values in tasks)
    filler = parameters.fill_up(rows) - rows
    if len(tasks) == 1 and not filler:
        return tasks[0]
    return [
        _merge_one([values[place] for values in tasks], name, filler, parameters)
        for place, name in enumerate(names)
    ]


def _merge_one(parts: list[Array], name: str, filler: int, parameters: BatchingParameters) -> Array:
    if any(part.shape[1:] != parts[0].shape[1:] for part in parts):
        if not parameters.pad_variable_length_inputs:
            raise ServingError(
                Code.FAILED_PRECONDITION,
                f"Tensors with name '{name}' from different tasks have different shapes and "
                "padding is turned off. Set pad_variable_length_inputs to true, or ensure that "
                "all tensors with the same name have equal dimensions starting with the first "
                "dim.",
            )
        parts = _pad(parts)
    if filler:
        # A row of a real request is a valid input, whatever the model expects.
        parts = [*parts, np.repeat(parts[-1][:1], filler, axis=0)]
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def _pad(parts: list[Array]) -> list[Array]:
    """Pads behind each dimension but the first, with the first value of each part."""
    if any(part.ndim != parts[0].ndim for part in parts):
        raise ServingError(
            Code.FAILED_PRECONDITION, "Tensors from different tasks have different ranks."
        )
    if any(part.size == 0 for part in parts):
        raise ServingError(Code.INVALID_ARGUMENT, "Got empty tensor in batch of non-empty tensors.")
    sizes = np.max([part.shape for part in parts], axis=0)
    padded = []
    for part in parts:
        whole = np.full((part.shape[0], *sizes[1:]), part.flat[0], dtype=part.dtype)
        whole[tuple(slice(size) for size in part.shape)] = part
        padded.append(whole)
    return padded


def split(outputs: Values, sizes: Sequence[int], rows: int) -> list[list[Array]]:
    """The outputs of each task.

    Args:
        outputs: What the model answered for the batch.
        sizes: Rows of each task.
        rows: Rows of the batch, filler included.

    Raises:
        ServingError: FAILED_PRECONDITION, the model does not answer row by row.
    """
    for output in outputs:
        if output.ndim == 0:
            raise ServingError(Code.FAILED_PRECONDITION, "Batched output tensor has 0 dimensions")
        if output.shape[0] != rows:
            raise ServingError(
                Code.FAILED_PRECONDITION,
                "Batched output tensor's 0th dimension does not equal the sum of the 0th "
                "dimension sizes of the input tensors",
            )
    if sizes == [rows]:
        return [list(outputs)]
    return [
        [output[end - size : end] for output in outputs]
        for size, end in zip(sizes, accumulate(sizes), strict=True)
    ]
