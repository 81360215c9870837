"""The work of ``leakage_check``: features that know the answer, or come too late."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from headrace.components.shared import report
from headrace.components.shared.config.data import Features, Leakage
from headrace.components.shared.config.project import Label
from headrace.components.shared.errors import ConfigError
from headrace.components.shared.text import nearest
from headrace.components.validation.leakage_check.score import Score, single_feature_score

_SAMPLE = 20_000
_SEED = 17


@dataclass(frozen=True)
class Leak:
    """A feature that must not be used, and the evidence."""

    feature: str
    evidence: str


def run(
    *,
    table: Path,
    label: Mapping[str, Any],
    features: Mapping[str, Any],
    rules: Mapping[str, Any],
    page: Path,
) -> tuple[list[Leak], list[Score]]:
    """Scores every feature alone and compares every ``known_at`` with the prediction time.

    Args:
        table: Parquet file of ``feature_builder``.
        label: Keys of :class:`Label`.
        features: Keys of :class:`Features`.
        rules: Keys of :class:`Leakage`.
        page: HTML report to write.

    Returns:
        The leaks, and the scores of all features, best first.

    Raises:
        ConfigError: a rule names a column that is not there.
    """
    target = Label.parse(label, where="label")
    known = Features.parse(features, where="features")
    limit = Leakage.parse(rules, where="leakage")
    rows = pl.read_parquet(table).filter(pl.col(target.column).is_not_null())
    visible = [c for c in rows.columns if c != target.column and c not in known.exclude]
    _check_names(rows, limit.allow)
    sample = rows.sample(min(_SAMPLE, rows.height), seed=_SEED)
    scores = [single_feature_score(sample, name, target) for name in visible]
    scores.sort(key=lambda score: -score.value)
    leaks = _too_late(rows, known, visible) + _too_good(scores, limit)
    report.write(
        page,
        "leakage.html",
        title="Leakage check",
        leaks=leaks,
        scores=scores,
        limit=limit.max_score,
        metric="R²" if target.task == "regression" else "AUC",
        rows=sample.height,
    )
    return leaks, scores


def _check_names(rows: pl.DataFrame, names: list[str]) -> None:
    for name in names:
        if name not in rows.columns:
            raise ConfigError(
                f"leakage.allow names {name!r}, which the labelled table does not have.",
                fix=nearest(name, rows.columns),
            )


def _too_good(scores: list[Score], limit: Leakage) -> list[Leak]:
    return [
        Leak(s.feature, f"alone it reaches {s.value:.3f} (limit {limit.max_score:g}): {s.evidence}")
        for s in scores
        if s.value > limit.max_score and s.feature not in limit.allow
    ]


def _too_late(rows: pl.DataFrame, known: Features, visible: list[str]) -> list[Leak]:
    leaks = [
        Leak(name, "project.yaml says it is known only after the prediction (features.known_after)")
        for name in known.known_after
        if name in visible
    ]
    if known.prediction_time is None:
        return leaks
    for name, column in known.known_at.items():
        late = rows.filter(
            pl.col(name).is_not_null() & (pl.col(column) > pl.col(known.prediction_time))
        )
        if late.height:
            row = late.row(0, named=True)
            leaks.append(
                Leak(
                    name,
                    f"in {late.height:,} of {rows.height:,} rows it was known only after the "
                    f"prediction: {column} {row[column]} against {row[known.prediction_time]}",
                )
            )
    return leaks


def verdict(leaks: list[Leak], scores: list[Score]) -> str:
    """One line for people."""
    if leaks:
        return "; ".join(f"{leak.feature}: {leak.evidence}" for leak in leaks[:3])
    best = scores[0] if scores else None
    return (
        f"no leak; best single feature {best.feature} {best.value:.3f}" if best else "no features"
    )
