"""The work of ``challenger``: is the new model better than the champion on the same rows?

Paired bootstrap: both models are measured on the same resampled rows, and the difference is what
is tested. Source: Efron and Tibshirani, An Introduction to the Bootstrap (1993), chapter 16; used
for comparing models in Koehn, Statistical Significance Tests for Machine Translation (2004).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from headrace.components.evaluation.metrics import NAMES, badness, prepare
from headrace.components.evaluation.resampling import bootstrap
from headrace.components.shared import report
from headrace.components.shared.config.model import Promotion
from headrace.components.shared.config.project import Label
from headrace.components.shared.errors import ConfigError, DataError
from headrace.components.shared.text import nearest

_BARS = 30


@dataclass(frozen=True)
class Result:
    """The comparison.

    Attributes:
        blessed: Whether the challenger may replace the champion.
        reason: Why, in one line.
        metric: What was compared.
        challenger: The challenger's value.
        champion: The champion's value; ``None`` when there is no champion to compare with.
        worst: Upper confidence limit of how much worse the challenger is (negative: better).
        probability_better: Share of resamples in which the challenger is better.
    """

    blessed: bool
    reason: str
    metric: str
    challenger: float
    champion: float | None = None
    worst: float | None = None
    probability_better: float | None = None


def run(
    *,
    predictions: Path,
    champion_version: int,
    label: Mapping[str, Any],
    promotion: Mapping[str, Any],
    page: Path,
) -> Result:
    """Compares the two models' predictions.

    Args:
        predictions: Parquet file of ``evaluator``.
        champion_version: Version of the champion, 0 when nothing has been pushed.
        label: Keys of :class:`Label`.
        promotion: Keys of :class:`Promotion`.
        page: HTML report to write.

    Raises:
        ConfigError: ``promotion.metric`` is not a metric of the task.
    """
    task = Label.parse(label, where="label").task
    rule = Promotion.parse(promotion, where="promotion")
    metric = rule.metric or NAMES[task][0]
    if metric not in NAMES[task]:
        raise ConfigError(
            f"promotion.metric {metric!r} is not a metric of {task}.",
            fix=nearest(metric, NAMES[task]),
        )
    rows = pl.read_parquet(predictions)
    result, differences = _compare(rows, task, metric, rule, champion_version)
    report.write(
        page,
        "challenger.html",
        title="Challenger against champion",
        result=result,
        rule=rule,
        champion_version=champion_version,
        rows=rows.height,
        bars=_histogram(differences),
    )
    return result


def _compare(
    rows: pl.DataFrame, task: str, metric: str, rule: Promotion, version: int
) -> tuple[Result, np.ndarray]:
    label = rows["label"].to_numpy()
    own = prepare(task, label, rows["prediction"].to_numpy())[metric]
    if "champion" not in rows.columns:
        reason = "nothing has been pushed yet"
        if version:
            reason = f"the champion, version {version}, cannot answer on these rows"
        value = float(own(np.ones((1, rows.height)))[0])
        return Result(True, f"promoted without a comparison: {reason}", metric, value), np.empty(0)
    other = prepare(task, label, rows["champion"].to_numpy())[metric]
    both = {"challenger": own, "champion": other}
    samples = bootstrap(both, rows.height, resamples=rule.resamples)
    worse = badness(metric, samples["challenger"].resampled) - badness(
        metric, samples["champion"].resampled
    )
    # A resample without one of the classes has no AUC.
    worse = worse[np.isfinite(worse)]
    if not len(worse):
        raise DataError(
            f"{metric} cannot be computed on any resample of the {rows.height:,} test rows.",
            fix="Give the test split more rows, and rows of every class, under `split`.",
        )
    worst = float(np.quantile(worse, rule.confidence))
    challenger, champion = samples["challenger"].observed, samples["champion"].observed
    blessed = worst < 0 if rule.rule == "better" else worst <= rule.margin
    return (
        Result(
            blessed=blessed,
            reason=_reason(blessed, metric, challenger, champion, worst, rule),
            metric=metric,
            challenger=challenger,
            champion=champion,
            worst=worst,
            probability_better=float((worse < 0).mean()),
        ),
        worse,
    )


def _reason(
    blessed: bool, metric: str, challenger: float, champion: float, worst: float, rule: Promotion
) -> str:
    values = f"{metric} {challenger:.4f} against {champion:.4f}"
    bound = f"at {rule.confidence:.0%} confidence it is at most {worst:+.4f} worse"
    wanted = "below 0" if rule.rule == "better" else f"at most {rule.margin:g}"
    outcome = "promoted" if blessed else "not promoted"
    return f"{outcome}: {values}; {bound}, wanted {wanted} (rule: {rule.rule})"


def _histogram(differences: np.ndarray) -> list[dict[str, Any]]:
    if not len(differences):
        return []
    counts, edges = np.histogram(differences, bins=_BARS)
    return [
        {"label": f"{edges[i]:+.4f} to {edges[i + 1]:+.4f}", "height": int(count)}
        for i, count in enumerate(counts)
    ]
