"""Interface of ``example_validator``."""

from typing import NamedTuple

from kfp import dsl

from headrace.components.shared.interface import TFX_IMAGE, component


@component(TFX_IMAGE)
def example_validator(
    statistics: dsl.Input[dsl.Artifact],
    schema: dsl.Input[dsl.Artifact],
    baseline: dsl.Input[dsl.Artifact],
    rules: dict,
    anomalies: dsl.Output[dsl.Artifact],
    report: dsl.Output[dsl.HTML],
    metrics: dsl.Output[dsl.Metrics],
) -> NamedTuple("Outputs", [("blessed", bool), ("verdict", str)]):
    """Compares the statistics with the schema and with the previous run; anomalies block.

    Args:
        statistics: TFX ExampleStatistics of this run.
        schema: TFX Schema.
        baseline: What `resolver` brought from the last pushed model; may be empty.
        rules: The section `validation` of project.yaml: drift, skew, missing values.
        anomalies: TFX ExampleAnomalies: `Split-<name>/SchemaDiff.pb`.
        report: The anomalies and the rules.
        metrics: Number of anomalies.

    Returns:
        blessed: No anomaly was found.
        verdict: One line for people.
    """
    from pathlib import Path

    from headrace.components.validation.example_validator import validator as work

    found = work.run(
        statistics=Path(statistics.path),
        schema=Path(schema.path),
        baseline=Path(baseline.path),
        rules=rules,
        target=Path(anomalies.path),
        page=Path(report.path),
    )
    metrics.log_metric("anomalies", len(found))
    return (not found, work.verdict(found))
