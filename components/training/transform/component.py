"""Interface of ``transform``."""

from kfp import dsl

from headrace.components.shared.interface import TFX_IMAGE, component


@component(TFX_IMAGE)
def transform(
    examples: dsl.Input[dsl.Dataset],
    schema: dsl.Input[dsl.Artifact],
    code: dict,
    features: dict,
    beam_args: list,
    transform_graph: dsl.Output[dsl.Artifact],
    transformed_examples: dsl.Output[dsl.Dataset],
    metrics: dsl.Output[dsl.Metrics],
):
    """Analyses the training split with tf.Transform, and transforms the train and eval splits.

    Args:
        examples: TFX Examples.
        schema: TFX Schema.
        code: Project files by name; `preprocessing.py` defines `preprocessing_fn`.
        features: The section `features` of project.yaml: columns hidden from the model.
        beam_args: Beam options for the analysis (Flink, Spark, Dataflow); empty for this process.
        transform_graph: TFX TransformGraph, for the trainer and for serving.
        transformed_examples: TFX Examples of transformed features, train and eval.
        metrics: Number of transformed features and of values per row.
    """
    import json
    from pathlib import Path

    from headrace.components.training.transform import transform as work

    widths = work.run(
        source=Path(examples.path),
        schema=Path(schema.path),
        code=code,
        features=features,
        beam_args=beam_args,
        graph=Path(transform_graph.path),
        target=Path(transformed_examples.path),
    )
    transformed_examples.metadata.update(
        split_names=json.dumps(["train", "eval"]),
        payload_format="FORMAT_TF_EXAMPLE",
        file_format="tfrecords_gzip",
    )
    metrics.log_metric("features", len(widths))
    metrics.log_metric("values_per_row", sum(widths.values()))
