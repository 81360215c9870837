"""Interface of ``leakage_check``."""

from typing import NamedTuple

from kfp import dsl

from headrace.components.shared.interface import CORE_IMAGE, component


@component(CORE_IMAGE)
def leakage_check(
    table: dsl.Input[dsl.Dataset],
    label: dict,
    features: dict,
    rules: dict,
    report: dsl.Output[dsl.HTML],
    metrics: dsl.Output[dsl.Metrics],
) -> NamedTuple("Outputs", [("blessed", bool), ("verdict", str)]):
    """Looks for features that know the answer, or that are known only after the prediction.

    Args:
        table: Parquet file from `feature_builder`.
        label: The section `label` of project.yaml.
        features: The section `features` of project.yaml.
        rules: The section `leakage` of project.yaml.
        report: Every feature's score alone, and the evidence.
        metrics: Best single-feature score and number of leaks.

    Returns:
        blessed: No leak was found.
        verdict: One line for people.
    """
    from pathlib import Path

    from headrace.components.validation.leakage_check import leakage as work

    leaks, scores = work.run(
        table=Path(table.path), label=label, features=features, rules=rules, page=Path(report.path)
    )
    metrics.log_metric("leaks", len(leaks))
    metrics.log_metric("best_single_feature", scores[0].value if scores else 0.0)
    return (not leaks, work.verdict(leaks, scores))
