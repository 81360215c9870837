"""One variant, asked as a device asks it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from headrace.components.deployment.edge_export.conversion import Tensors
from headrace.components.deployment.edge_export.parity import Difference, Reference, compare
from headrace.serving.edge.bundle import Description
from headrace.serving.edge.device.runtime import load

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


def measure(
    bundle: Path,
    description: Description,
    variant: str,
    raw: Tensors,
    reference: Reference,
    decision: float,
) -> Measured:
    """Asks a variant for all rows of the test split, and one by one for some.

    Args:
        bundle: A bundle as devices get it; the runtime inside of it answers.
        description: Of the bundle.
        variant: Name of the variant.
        raw: Named raw tensors of the test split, of shape ``[rows]``.
        reference: What the answers are compared with.
        decision: Probability from which an answer counts as yes.
    """
    model = load(bundle, variant)
    (answers,) = model.predict_batch(raw).values()
    rows = description.self_test.rows
    seconds = []
    for call in range(_WARM_UP + _CALLS):
        start = time.perf_counter()
        model.predict(rows[call % len(rows)])
        seconds.append(time.perf_counter() - start)
    p50, p99 = np.percentile(seconds[_WARM_UP:], (50, 99)) * 1000
    return Measured(
        bytes=(bundle / description.variants[variant].file).stat().st_size,
        differences=compare(reference, np.ravel(answers), decision),
        p50=float(p50),
        p99=float(p99),
    )
