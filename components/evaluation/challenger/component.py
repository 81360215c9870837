"""Interface of ``challenger``."""

from typing import NamedTuple

from kfp import dsl

from headrace.components.shared.interface import CORE_IMAGE, component


@component(CORE_IMAGE)
def challenger(
    predictions: dsl.Input[dsl.Dataset],
    champion_version: int,
    label: dict,
    promotion: dict,
    metrics: dsl.Output[dsl.Metrics],
    report: dsl.Output[dsl.HTML],
) -> NamedTuple("Outputs", [("blessed", bool), ("verdict", str)]):
    """Compares the new model with the champion on the same rows, by paired bootstrap.

    Rule `better` promotes when the model is better at the chosen confidence; `not_worse` when it
    is worse by no more than the margin. Without a champion the model is promoted.

    Args:
        predictions: Parquet file from `evaluator`.
        champion_version: From `resolver`; 0 when nothing has been pushed.
        label: The section `label` of project.yaml.
        promotion: The section `promotion` of project.yaml.
        metrics: Both values, and the confidence limit of the difference.
        report: The comparison.

    Returns:
        blessed: The model may replace the champion.
        verdict: One line for people.
    """
    from pathlib import Path

    from headrace.components.evaluation.challenger import challenger as work

    result = work.run(
        predictions=Path(predictions.path),
        champion_version=champion_version,
        label=label,
        promotion=promotion,
        page=Path(report.path),
    )
    metrics.log_metric(f"challenger_{result.metric}", result.challenger)
    if result.champion is not None:
        metrics.log_metric(f"champion_{result.metric}", result.champion)
        metrics.log_metric("at_most_worse", result.worst)
        metrics.log_metric("probability_better", result.probability_better)
    return (result.blessed, result.reason)
