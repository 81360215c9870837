"""Interface of ``tuner``."""

from kfp import dsl

from headrace.components.shared.interface import TFX_IMAGE, component


@component(TFX_IMAGE)
def tuner(
    transformed_examples: dsl.Input[dsl.Dataset],
    transform_graph: dsl.Input[dsl.Artifact],
    code: dict,
    label: dict,
    training: dict,
    tuning: dict,
    hyperparameters: dsl.Output[dsl.Artifact],
    metrics: dsl.Output[dsl.Metrics],
    summary: dsl.Output[dsl.Markdown],
):
    """Searches hyperparameters with KerasTuner: random, grid or Hyperband, with k folds if wanted.

    The search space is what `build_model` asks its `hp` for. With `trials: 0` nothing is searched
    and the defaults of model.py are passed on.

    Args:
        transformed_examples: TFX Examples of transformed features.
        transform_graph: TFX TransformGraph.
        code: Project files by name; `model.py` defines `build_model(hp, transform)`.
        label: The section `label` of project.yaml.
        training: The section `training` of project.yaml.
        tuning: The section `tuning` of project.yaml.
        hyperparameters: TFX HyperParameters: `best_hyperparameters.txt`.
        metrics: Trials that succeeded and the best score.
        summary: All trials, best first.
    """
    from pathlib import Path

    from headrace.components.training.tuner import tuner as work

    result = work.run(
        transformed=Path(transformed_examples.path),
        graph=Path(transform_graph.path),
        code=code,
        label=label,
        training=training,
        tuning=tuning,
        target=Path(hyperparameters.path),
    )
    metrics.log_metric("trials", len(result.trials))
    if result.trials:
        metrics.log_metric(result.objective, result.trials[0].score)
    Path(summary.path).write_text(work.summary(result))
