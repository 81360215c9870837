"""What the batching parameters file says, checked."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from headrace.serving.server.errors import Code, ServingError


@dataclass(frozen=True)
class BatchingParameters:
    """How requests are merged. Defaults are TensorFlow Serving's.

    Attributes:
        max_batch_size: Most rows of one request, and of one batch unless those are split.
        batch_timeout_micros: How long a batch that is not full waits for more requests.
        max_enqueued_batches: How many batches may wait before requests are refused.
        num_batch_threads: How many batches run side by side, over all models.
        thread_pool_name: A label of the metrics.
        allowed_batch_sizes: Batches are filled up to the next of these; empty for any size.
        pad_variable_length_inputs: Whether rows of different shapes are padded to fit.
        max_execution_batch_size: Most rows of one batch; larger requests are split.
    """

    max_batch_size: int = 1000
    batch_timeout_micros: int = 0
    max_enqueued_batches: int = 10
    num_batch_threads: int = os.cpu_count() or 1
    thread_pool_name: str = "model_server_batch_threads"
    allowed_batch_sizes: tuple[int, ...] = ()
    pad_variable_length_inputs: bool = False
    max_execution_batch_size: int | None = None

    def __post_init__(self) -> None:
        sizes = self.allowed_batch_sizes
        if sizes and sizes[-1] != self.max_batch_size:
            raise _invalid(
                "Last entry in allowed_batch_sizes must match max_batch_size; last entry was "
                f"{sizes[-1]}; expected {self.max_batch_size}"
            )
        if list(sizes) != sorted(set(sizes)):
            raise _invalid("allowed_batch_sizes must be in ascending order")
        positive = ("max_batch_size", "max_enqueued_batches", "num_batch_threads", "execution_size")
        for name in positive:
            if getattr(self, name) < 1:
                raise _invalid(f"{name} must be positive; was {getattr(self, name)}")
        if self.batch_timeout_micros < 0:
            raise _invalid(
                f"batch_timeout_micros must be non-negative; was {self.batch_timeout_micros}"
            )

    @property
    def execution_size(self) -> int:
        """Most rows of one batch."""
        return self.max_execution_batch_size or self.max_batch_size

    def fill_up(self, rows: int) -> int:
        """The size that a batch of ``rows`` runs with."""
        return next((size for size in self.allowed_batch_sizes if size >= rows), rows)

    @classmethod
    def from_proto(cls, proto: Any) -> BatchingParameters:
        """Reads the ``BatchingParameters`` message; what it does not set has its default.

        Raises:
            ServingError: INVALID_ARGUMENT, the values contradict each other.
        """
        wrapped = (
            "max_batch_size",
            "batch_timeout_micros",
            "max_enqueued_batches",
            "num_batch_threads",
            "thread_pool_name",
        )
        given = {name: getattr(proto, name).value for name in wrapped if proto.HasField(name)}
        if proto.enable_large_batch_splitting.value:
            limit = proto.max_execution_batch_size.value
            given["max_execution_batch_size"] = limit or given.get("max_batch_size")
        return cls(
            allowed_batch_sizes=tuple(proto.allowed_batch_sizes),
            pad_variable_length_inputs=proto.pad_variable_length_inputs,
            **given,
        )


def _invalid(message: str) -> ServingError:
    return ServingError(Code.INVALID_ARGUMENT, message)
