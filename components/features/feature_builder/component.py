"""Interface of ``feature_builder``."""

from kfp import dsl

from headrace.components.shared.interface import CORE_IMAGE, component


@component(CORE_IMAGE)
def feature_builder(
    tables: dsl.Input[dsl.Dataset],
    code: dict,
    label: dict,
    features: dict,
    table: dsl.Output[dsl.Dataset],
    metrics: dsl.Output[dsl.Metrics],
):
    """Runs the project's `build_features` on the ingested tables, giving one labelled table.

    Args:
        tables: Folder of Parquet tables from `ingest`.
        code: Project files by name; `features.py` defines `build_features(tables)`. Without it
            the single source is passed through.
        label: The section `label` of project.yaml.
        features: The section `features` of project.yaml.
        table: One Parquet file with features, label, keys and times.
        metrics: Rows and columns.
    """
    from pathlib import Path

    from headrace.components.features.feature_builder import builder as work

    result = work.run(
        tables=Path(tables.path),
        code=code,
        label=label,
        features=features,
        table=Path(table.path),
    )
    metrics.log_metric("rows", result.height)
    metrics.log_metric("columns", result.width)
