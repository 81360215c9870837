"""Does the model meet its thresholds, with confidence?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl

from headrace.components.evaluation.evaluator.predictions import CHAMPION, LABEL, PREDICTION
from headrace.components.evaluation.evaluator.tfma_metrics import SliceKey, slice_keys
from headrace.components.evaluation.metrics import NAMES, badness, prepare
from headrace.components.evaluation.resampling import Interval, Samples, bootstrap
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
    names = _wanted(key, task, settings)
    own = prepare(task, label, rows[PREDICTION].to_numpy())
    functions = {name: own[name] for name in names}
    if CHAMPION in rows.columns:
        other = prepare(task, label, rows[CHAMPION].to_numpy())
        functions |= {f"{CHAMPION} {name}": other[name] for name in names}
    samples = bootstrap(functions, rows.height, resamples=settings.resamples)
    metrics = {name: samples[name].interval(settings.confidence) for name in names}
    change = {
        name: _change(name, samples).interval(settings.confidence)
        for name in names
        if CHAMPION in rows.columns
    }
    return SliceResult(key, rows.height, metrics, change)


def _wanted(key: SliceKey, task: str, settings: Evaluation) -> list[str]:
    """All metrics overall; on a slice the first one and those with a threshold there."""
    names = NAMES[task]
    if not key:
        return list(names)
    bounded = {name for name, bound in settings.thresholds.items() if _applies(bound, key)}
    return [name for i, name in enumerate(names) if i == 0 or name in bounded]


def _change(name: str, samples: Mapping[str, Samples]) -> Samples:
    """How much worse than the champion, on the same resamples."""
    own, other = samples[name], samples[f"{CHAMPION} {name}"]
    observed = badness(name, np.array([own.observed, other.observed]))
    return Samples(
        float(observed[0] - observed[1]),
        badness(name, own.resampled) - badness(name, other.resampled),
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
