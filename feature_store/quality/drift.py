"""How far a feature has moved away from its baseline: 0 is not at all, 1 is completely."""

from __future__ import annotations

import numpy as np
from scipy.spatial import distance

from headrace.feature_store.quality.statistics import FeatureStatistics

#: With fewer values, chance alone would look like drift.
MIN_VALUES = 200

JENSEN_SHANNON = "Jensen-Shannon divergence"
L_INFINITY = "L-infinity distance"


def drift(baseline: FeatureStatistics, window: FeatureStatistics) -> float | None:
    """The distance between two distributions; nulls do not count.

    For numbers it is the Jensen-Shannon divergence in bits of their histograms, for categories the
    largest change of the share of one: TFX's own measures, so limits mean the same there.

    Args:
        baseline: What the feature was like.
        window: What it is like now, counted in the baseline's bins or categories.

    Returns:
        The distance, or None when there are too few values, or nothing that can be counted.
    """
    if baseline.kind != window.kind or len(baseline.counts) != len(window.counts):
        return None
    if min(sum(baseline.counts), sum(window.counts)) < MIN_VALUES:
        return None
    before, now = (np.asarray(s.counts) / sum(s.counts) for s in (baseline, window))
    if baseline.kind == "number":
        return float(distance.jensenshannon(before, now, base=2) ** 2)
    return float(distance.chebyshev(before, now))


def measure(kind: str) -> str:
    """What the distance of features of a kind is called."""
    return JENSEN_SHANNON if kind == "number" else L_INFINITY
