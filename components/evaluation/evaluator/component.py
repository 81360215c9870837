"""Interface of ``evaluator``."""

from typing import NamedTuple

from kfp import dsl

from headrace.components.shared.interface import TFX_IMAGE, component


@component(TFX_IMAGE)
def evaluator(
    examples: dsl.Input[dsl.Dataset],
    model: dsl.Input[dsl.Model],
    champion: dsl.Input[dsl.Artifact],
    label: dict,
    evaluation: dict,
    evaluation_result: dsl.Output[dsl.Artifact],
    predictions: dsl.Output[dsl.Dataset],
    metrics: dsl.Output[dsl.Metrics],
    classification: dsl.Output[dsl.ClassificationMetrics],
    report: dsl.Output[dsl.HTML],
) -> NamedTuple("Outputs", [("blessed", bool), ("verdict", str)]):
    """Evaluates the exported model on the test split with TFMA, by slice, against thresholds.

    The model is asked as its server would ask it, through `serving_default`. Every metric has a
    bootstrap interval, and its unfavourable end must meet the limit.

    Args:
        examples: TFX Examples.
        model: SavedModel of the candidate.
        champion: Version that `resolver` brought; may be empty.
        label: The section `label` of project.yaml.
        evaluation: The section `evaluation` of project.yaml: slices and thresholds.
        evaluation_result: TFMA evaluation, for `tfma.load_eval_result`.
        predictions: Parquet: label, prediction, the champion's prediction, slice columns.
        metrics: Overall metrics.
        classification: ROC curve and confusion matrix.
        report: Metrics, curves, thresholds and slices.

    Returns:
        blessed: Every threshold is met.
        verdict: One line for people.
    """
    from pathlib import Path

    from headrace.components.evaluation.evaluator import evaluator as work
    from headrace.components.evaluation.evaluator import view
    from headrace.components.shared.published import log_metrics

    result = work.run(
        source=Path(examples.path),
        model=Path(model.path),
        champion=Path(champion.path),
        label=label,
        evaluation=evaluation,
        target=Path(evaluation_result.path),
        predictions=Path(predictions.path),
        page=Path(report.path),
    )
    evaluation_result.metadata["slices"] = result.slices
    log_metrics(metrics, result.metrics)
    if result.task == "binary_classification":
        truth, shown = result.rows["label"].to_numpy(), result.rows["prediction"].to_numpy()
        classification.log_roc_curve(*(list(map(float, x)) for x in view.roc_points(truth, shown)))
        classification.log_confusion_matrix(["no", "yes"], view.confusion(truth, shown))
    return (result.blessed, work.verdict(result))
