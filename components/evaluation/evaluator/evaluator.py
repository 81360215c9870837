"""The work of ``evaluator``: predictions, TFMA, intervals, thresholds, report."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import polars as pl

from headrace.components.evaluation.evaluator import tfma_metrics, view
from headrace.components.evaluation.evaluator.predictions import LABEL, PREDICTION, collect
from headrace.components.evaluation.evaluator.thresholds import Check, SliceResult, check, measure
from headrace.components.shared import files, report
from headrace.components.shared.config.model import Evaluation
from headrace.components.shared.config.project import Label


@dataclass(frozen=True)
class Result:
    """What the evaluation found.

    Attributes:
        rows: Rows evaluated, with predictions.
        task: Task of the label.
        metrics: Overall metric name to value, as TFMA computed it.
        checks: Every threshold.
        slices: One flat record per slice.
    """

    rows: pl.DataFrame
    task: str
    metrics: dict[str, float]
    checks: list[Check]
    slices: list[dict[str, Any]]

    @property
    def blessed(self) -> bool:
        """Whether every threshold is met."""
        return all(item.passed for item in self.checks)


def run(
    *,
    source: Path,
    model: Path,
    champion: Path,
    label: Mapping[str, Any],
    evaluation: Mapping[str, Any],
    target: Path,
    predictions: Path,
    page: Path,
) -> Result:
    """Evaluates the exported model on the test split.

    Args:
        source: Examples artifact.
        model: SavedModel of the candidate.
        champion: Version that ``resolver`` brought; may be empty.
        label: Keys of :class:`Label`.
        evaluation: Keys of :class:`Evaluation`.
        target: ModelEvaluation artifact to write.
        predictions: Parquet file of rows with predictions to write.
        page: HTML report to write.

    Raises:
        ConfigError: a slice or threshold names something that does not exist.
    """
    truth = Label.parse(label, where="label")
    settings = Evaluation.parse(evaluation, where="evaluation")
    rows, refusal = collect(source, model, champion, label=truth.column, slices=settings.slices)
    with files.writing(predictions):
        rows.write_parquet(predictions)
    with ThreadPoolExecutor(1) as pool:
        # NumPy resamples outside Python's lock, while TFMA holds it.
        intervals = pool.submit(measure, rows, truth.task, settings)
        tfma_result = tfma_metrics.evaluate(rows, settings.slices, truth.task, target)
        measured = intervals.result()
    values = tfma_metrics.metric_values(tfma_result)
    checks = check(measured, truth.task, settings)
    # TFMA computes what it can on whole arrays; log loss and RMSE come with their intervals.
    own = {name: found.value for name, found in measured[0].metrics.items()}
    values[()] = {**own, **values[()]}
    _write_page(page, rows, truth.task, values, measured, checks, refusal, settings)
    slices = view.slice_table(values, measured, truth.task)
    return Result(rows, truth.task, values[()], checks, slices)


def _write_page(
    page: Path,
    rows: pl.DataFrame,
    task: str,
    values: dict[tfma_metrics.SliceKey, dict[str, float]],
    measured: list[SliceResult],
    checks: list[Check],
    refusal: str,
    settings: Evaluation,
) -> None:
    report.write(
        page,
        "evaluation.html",
        title="Evaluation on the test split",
        task=task,
        rows=rows.height,
        overall=values[()],
        groups=view.slice_groups(values, measured, task),
        checks=[{**asdict(item), "slice": view.slice_name(item.slice)} for item in checks],
        blessed=all(item.passed for item in checks),
        refusal=refusal,
        confidence=settings.confidence,
        **view.curves(task, rows[LABEL].to_numpy(), rows[PREDICTION].to_numpy()),
    )


def verdict(result: Result) -> str:
    """One line for people."""
    failed = [item for item in result.checks if not item.passed]
    if failed:
        first = failed[0]
        where = view.slice_name(first.slice)
        return (
            f"{len(failed)} of {len(result.checks)} thresholds missed, first: {first.metric} on "
            f"{where} is {first.measured}, wanted {first.rule}"
        )
    shown = ", ".join(f"{name} {result.metrics[name]:.4f}" for name in view.headline(result.task))
    return f"{shown}; {len(result.checks)} thresholds met"
