"""Does the model meet its thresholds, with confidence?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl
from headrace.components.evaluation.evaluator.predictions import CHAMPION, LABEL, PREDICTION
from headrace.components.evaluation.evaluator.tfma_metrics import SliceKey, slice_keys
from headrace.components.evaluation.metrics import NAMES, badness, prepare
from headrace.components.evaluation.resampling import Bootstrap, Interval, bootstrap
from headrace.components.shared.config.model import Bound, Evaluation
from headrace.components.shared.errors import ConfigError
from headrace.components.shared.text import nearest


@dataclass(frozen=True)
class Check:
    """One threshold on one slice."""

    metric: str
    slice: SliceKey
    rule: str
    measured: str
    passed: bool


@dataclass(frozen=True)
class SliceResult:
    """Intervals of one slice, of the model and of its change against the champion."""

    key: SliceKey
    rows: int
    metrics: dict[str, Interval]
    change: dict[str, Interval]


def measure(rows: pl.DataFrame, task: str, settings: Evaluation) -> list[SliceResult]:
    """Bootstraps every slice that is large enough and has more than one label value.

    Args:
        rows: Label, predictions (the champion's too, where known) and slice columns.
        task: Task of the label.
        settings: Slices, confidence and number of resamples.
    """
    return [
        _measure_slice(rows.filter(pl.Series(mask)), key, task, settings)
        for key, mask in slice_keys(rows, settings.slices)
        if _measurable(rows, mask, key, settings)
    ]


def _measurable(rows: pl.DataFrame, mask: np.ndarray, key: SliceKey, settings: Evaluation) -> bool:
    if not key:
        return True
    enough = int(mask.sum()) >= settings.min_slice_rows
    return enough and rows.filter(pl.Series(mask))[LABEL].n_unique() > 1


def _measure_slice(
    rows: pl.DataFrame, key: SliceKey, task: str, settings: Evaluation
) -> SliceResult:
    label = rows[LABEL].to_numpy()
    own = prepare(task, label, rows[PREDICTION].to_numpy())
    functions = list(own.values())
    if CHAMPION in rows.columns:
        functions += prepare(task, label, rows[CHAMPION].to_numpy()).values()
    samples = bootstrap(functions, rows.height, resamples=settings.resamples)
    names, count = list(own), len(own)
    intervals = samples.intervals(settings.confidence)
    change = {}
    if len(functions) > count:
        change = dict(
            zip(names, _change(samples, names).intervals(settings.confidence), strict=True)
        )
    return SliceResult(key, rows.height, dict(zip(names, intervals[:count], strict=True)), change)


def _change(samples: Bootstrap, names: list[str]) -> Bootstrap:
    """How much worse than the champion, on the same resamples."""
    worse = np.vectorize(badness, otypes=[float])
    count = len(names)
    column = np.array(names)
    return Bootstrap(
        worse(column, samples.observed[:count]) - worse(column, samples.observed[count:]),
        worse(column[:, None], samples.resampled[:count])
        - worse(column[:, None], samples.resampled[count:]),
    )


def check(results: list[SliceResult], task: str, settings: Evaluation) -> list[Check]:
    """Applies every threshold; the unfavourable end of the interval must meet it.

    Raises:
        ConfigError: a threshold names a metric that the task does not have.
    """
    for name in settings.thresholds:
        if name not in NAMES[task]:
            raise ConfigError(
                f"evaluation.thresholds names {name!r}, which is not a metric of {task}.",
                fix=nearest(name, NAMES[task]),
            )
    return [
        item
        for name, bound in settings.thresholds.items()
        for result in results
        if _applies(bound, result.key)
        for item in _apply(name, bound, result)
    ]


def _applies(bound: Bound, key: SliceKey) -> bool:
    return not key or all(column in bound.slices for column, _ in key)


def _apply(name: str, bound: Bound, result: SliceResult) -> list[Check]:
    found = result.metrics[name]
    shown = f"{found.value:.4f} [{found.low:.4f}, {found.high:.4f}]"
    checks = []
    if bound.min is not None:
        passed = found.low >= bound.min
        checks.append(Check(name, result.key, f"at least {bound.min:g}", shown, passed))
    if bound.max is not None:
        passed = found.high <= bound.max
        checks.append(Check(name, result.key, f"at most {bound.max:g}", shown, passed))
    if bound.max_worse is not None and name in result.change:
        worse = result.change[name]
        text = f"{worse.value:+.4f} [{worse.low:+.4f}, {worse.high:+.4f}] worse"
        rule = f"at most {bound.max_worse:g} worse than the champion"
        checks.append(Check(name, result.key, rule, text, worse.high <= bound.max_worse))
    return checks
