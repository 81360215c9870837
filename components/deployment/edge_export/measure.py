"""Variants, asked as a device asks them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np

from headrace.components.deployment.edge_export.conversion import Tensors
from headrace.components.deployment.edge_export.forms import first_line
from headrace.components.deployment.edge_export.parity import Difference, Reference, compare
from headrace.serving.edge.bundle import Description
from headrace.serving.edge.device.runtime import load
from headrace.serving.edge.runtime import EdgeModel

_CALLS = 300
_WARM_UP = 20


@dataclass(frozen=True)
class Measured:
    """What was found about one variant.

    Attributes:
        bytes: Size of its file.
        differences: From the SavedModel, on all rows first.
        p50: Milliseconds of one row on this machine, preprocessing included, with one thread.
        p99: The same that 1 % of the calls exceed.
    """

    bytes: int
    differences: list[Difference]
    p50: float
    p99: float


class Trial:
    """A bundle as devices get it, whose own runtime answers the test split.

    Args:
        bundle: The bundle.
        description: Of it.
        raw: Named raw tensors of the test split, of shape ``[rows]``.
        reference: What the answers are compared with.
        decision: Probability from which an answer counts as yes.
    """

    def __init__(
        self,
        bundle: Path,
        description: Description,
        raw: Tensors,
        reference: Reference,
        decision: float,
    ) -> None:
        self._bundle = bundle
        self._description = description
        self._raw = raw
        self._reference = reference
        self._decision = decision
        self._transformed: Tensors | None = None

    def measure(self, variant: str) -> Measured | str:
        """What a variant answers to all rows, and one by one to some, or why it does not."""
        try:
            return self._measured(variant)
        except Exception as error:  # a runtime raises anything; it is the verdict
            return f"it does not answer: {first_line(error)}"

    def _measured(self, variant: str) -> Measured:
        model = cast(EdgeModel, load(self._bundle, variant))
        if self._transformed is None:
            # The preprocessing is a file of the bundle that its variants share.
            self._transformed = model.transform_batch(self._raw)
        (answers,) = model.predict_transformed_batch(self._transformed).values()
        rows = self._description.self_test.rows
        seconds = []
        for call in range(_WARM_UP + _CALLS):
            start = time.perf_counter()
            model.predict(rows[call % len(rows)])
            seconds.append(time.perf_counter() - start)
        p50, p99 = np.percentile(seconds[_WARM_UP:], (50, 99)) * 1000
        return Measured(
            bytes=(self._bundle / self._description.variants[variant].file).stat().st_size,
            differences=compare(self._reference, np.ravel(answers), self._decision),
            p50=float(p50),
            p99=float(p99),
        )
