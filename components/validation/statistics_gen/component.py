"""Interface of ``statistics_gen``."""

from kfp import dsl

from headrace.components.shared.interface import TFX_IMAGE, component


@component(TFX_IMAGE)
def statistics_gen(
    examples: dsl.Input[dsl.Dataset],
    statistics: dsl.Output[dsl.Artifact],
    report: dsl.Output[dsl.HTML],
    metrics: dsl.Output[dsl.Metrics],
):
    """Computes TFDV statistics of every split.

    Args:
        examples: TFX Examples.
        statistics: TFX ExampleStatistics: `Split-<name>/FeatureStats.pb`.
        report: Distributions, missing shares and most frequent values per feature and split.
        metrics: Rows per split and number of features.
    """
    import json
    from pathlib import Path

    from headrace.components.validation.statistics_gen import statistics as work

    result = work.run(
        source=Path(examples.path), target=Path(statistics.path), page=Path(report.path)
    )
    statistics.metadata["split_names"] = json.dumps(list(result))
    for split, value in result.items():
        metrics.log_metric(f"rows_{split}", value.datasets[0].num_examples)
    metrics.log_metric("features", len(result["train"].datasets[0].features))
