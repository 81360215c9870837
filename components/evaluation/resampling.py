"""Bootstrap over rows, by scipy, of several metrics at once.

Percentile intervals: Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 13.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

_BATCH = 50


@dataclass(frozen=True)
class Interval:
    """A value and its two-sided confidence interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Bootstrap:
    """Observed values, and one row of values per resample.

    Attributes:
        observed: Shape ``[metrics]``.
        resampled: Shape ``[metrics, resamples]``.
    """

    observed: np.ndarray
    resampled: np.ndarray

    def intervals(self, confidence: float) -> list[Interval]:
        """Percentile interval of each metric."""
        tail = (1 - confidence) / 2
        low, high = np.nanquantile(self.resampled, [tail, 1 - tail], axis=1)
        return [
            Interval(float(value), float(a), float(b))
            for value, a, b in zip(self.observed, low, high, strict=True)
        ]


def bootstrap(
    metrics: Sequence[Callable[[np.ndarray], float]], rows: int, *, resamples: int, seed: int = 17
) -> Bootstrap:
    """Resamples rows with replacement and computes every metric on the same resamples.

    Args:
        metrics: Functions of how often each row counts, shape ``[rows]``.
        rows: Number of rows.
        resamples: Number of resamples.
        seed: Seed of the generator.
    """
    from scipy import stats

    def statistic(index: np.ndarray, axis: int = -1) -> np.ndarray:
        draws = np.atleast_2d(index)
        counts = [np.bincount(draw, minlength=rows).astype(float) for draw in draws]
        values = np.array([[metric(count) for count in counts] for metric in metrics])
        return values if index.ndim > 1 else values[:, 0]

    result = stats.bootstrap(
        (np.arange(rows),),
        statistic,
        vectorized=True,
        n_resamples=resamples,
        batch=_BATCH,
        method="percentile",
        rng=np.random.default_rng(seed),
    )
    everything = np.ones(rows)
    observed = np.array([metric(everything) for metric in metrics])
    return Bootstrap(observed, result.bootstrap_distribution.reshape(len(metrics), -1))
