"""Interface of ``example_gen``."""

from kfp import dsl

from headrace.components.shared.interface import TFX_IMAGE, component


@component(TFX_IMAGE)
def example_gen(
    table: dsl.Input[dsl.Dataset],
    label: dict,
    features: dict,
    split: dict,
    examples: dsl.Output[dsl.Dataset],
    metrics: dsl.Output[dsl.Metrics],
):
    """Turns the labelled table into TFX Examples, split into train, eval and test.

    Missing values stay missing: zero, 0.0 and the empty text are values. Timestamps become
    microseconds since 1970 (UTC).

    Args:
        table: Parquet file from `feature_builder`.
        label: The section `label` of project.yaml.
        features: The section `features` of project.yaml.
        split: The section `split` of project.yaml: by time, hash or column.
        examples: TFX Examples: `Split-<name>/*.gz`, serialized tf.Examples.
        metrics: Rows per split.
    """
    import json
    from pathlib import Path

    from headrace.components.data.example_gen import example_gen as work

    rows = work.run(
        table=Path(table.path),
        label=label,
        features=features,
        split=split,
        target=Path(examples.path),
    )
    examples.metadata.update(
        split_names=json.dumps(list(rows)),
        payload_format="FORMAT_TF_EXAMPLE",
        file_format="tfrecords_gzip",
    )
    for name, count in rows.items():
        metrics.log_metric(f"rows_{name}", count)
