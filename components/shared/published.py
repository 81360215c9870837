"""Numbers that a step publishes for KFP's user interface and for comparisons of runs."""

from __future__ import annotations

import math
from collections.abc import Mapping

from kfp import dsl


def log_metrics(metrics: dsl.Metrics, values: Mapping[str, float]) -> None:
    """Publishes the numbers that are finite.

    JSON has no NaN and no infinity: KFP's launcher would refuse all outputs of a step because of
    one metric that is undefined on its rows.
    """
    for name, value in values.items():
        if math.isfinite(value):
            metrics.log_metric(name, float(value))
