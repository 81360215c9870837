"""Interface of ``trainer``."""

from kfp import dsl

from headrace.components.shared.interface import TFX_IMAGE, component


@component(TFX_IMAGE)
def trainer(
    transformed_examples: dsl.Input[dsl.Dataset],
    transform_graph: dsl.Input[dsl.Artifact],
    hyperparameters: dsl.Input[dsl.Artifact],
    code: dict,
    label: dict,
    training: dict,
    model: dsl.Output[dsl.Model],
    model_run: dsl.Output[dsl.Artifact],
    metrics: dsl.Output[dsl.Metrics],
    summary: dsl.Output[dsl.Markdown],
):
    """Fits the project's Keras 3 model and exports it with its preprocessing inside.

    Stops early, keeps the best epoch, and can use mixed precision and XLA. The SavedModel has
    `serving_default` on serialized tf.Examples, `raw_tensors` on named raw features, and
    `transformed_tensors`, the model without its preprocessing.

    Args:
        transformed_examples: TFX Examples of transformed features.
        transform_graph: TFX TransformGraph.
        hyperparameters: TFX HyperParameters from `tuner`.
        code: Project files by name; `model.py` defines `build_model(hp, transform)`.
        label: The section `label` of project.yaml.
        training: The section `training` of project.yaml.
        model: SavedModel.
        model_run: Best weights, TensorBoard logs and the history.
        metrics: Metrics of the exported epoch.
        summary: Hyperparameters and one row per epoch.
    """
    import json
    from pathlib import Path

    from headrace.components.shared.published import log_metrics
    from headrace.components.training.trainer import trainer as work

    result = work.run(
        transformed=Path(transformed_examples.path),
        graph=Path(transform_graph.path),
        hyperparameters=Path(hyperparameters.path),
        code=code,
        label=label,
        training=training,
        model=Path(model.path),
        model_run=Path(model_run.path),
    )
    # As text: KFP's metadata store keeps a list only inside a dict of its own making.
    model.metadata["features"] = json.dumps(result.features)
    log_metrics(metrics, {**result.best, "weights": result.parameters})
    Path(summary.path).write_text(work.summary(result))
