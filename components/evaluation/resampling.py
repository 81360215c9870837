"""Bootstrap over rows, by scipy, of several metrics on the same resamples.

Percentile intervals: Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 13.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from headrace.components.evaluation.metrics import Metric

#: Cells of the count matrix of one batch: small enough to stay in the processor's cache.
_BATCH_CELLS = 1_000_000


@dataclass(frozen=True)
class Interval:
    """A value and its two-sided confidence interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Samples:
    """One metric, observed and resampled.

    Attributes:
        observed: On the rows as they are.
        resampled: On each resample.
    """

    observed: float
    resampled: np.ndarray

    def interval(self, confidence: float) -> Interval:
        """The percentile interval."""
        tail = (1 - confidence) / 2
        low, high = np.nanquantile(self.resampled, [tail, 1 - tail])
        return Interval(self.observed, float(low), float(high))


def bootstrap(
    metrics: Mapping[str, Metric], rows: int, *, resamples: int, seed: int = 17
) -> dict[str, Samples]:
    """Resamples rows with replacement and computes every metric on the same resamples.

    Args:
        metrics: Name to function of counts, shape ``[resamples, rows]``.
        rows: Number of rows.
        resamples: Number of resamples.
        seed: Seed of the generator.
    """
    from scipy import stats

    def statistic(index: np.ndarray, axis: int = -1) -> np.ndarray:
        counts = np.array([np.bincount(draw, minlength=rows) for draw in np.atleast_2d(index)])
        values = np.array([metric(counts.astype(float)) for metric in metrics.values()])
        return values if index.ndim > 1 else values[:, 0]

    drawn = stats.bootstrap(
        (np.arange(rows),),
        statistic,
        vectorized=True,
        n_resamples=resamples,
        batch=max(1, _BATCH_CELLS // rows),
        method="percentile",
        rng=np.random.default_rng(seed),
    ).bootstrap_distribution.reshape(len(metrics), -1)
    once = np.ones((1, rows))
    return {
        name: Samples(float(metric(once)[0]), values)
        for (name, metric), values in zip(metrics.items(), drawn, strict=True)
    }
