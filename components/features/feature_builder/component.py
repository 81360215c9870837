"""Interface of ``feature_builder``."""

from kfp import dsl

from headrace.components.shared.interface import CORE_IMAGE, component


@component(CORE_IMAGE)
def feature_builder(
    tables: dsl.Input[dsl.Dataset],
    code: dict,
    repo_code: dict,
    built: dsl.Output[dsl.Dataset],
    metrics: dsl.Output[dsl.Metrics],
):
    """Runs the project's `build_features` on the ingested tables.

    It gives one labelled table; with a feature store also the tables behind the feature views.
    Rolling views, defined in `rolling.py` of the Feast repository, are computed from `events`.

    Args:
        tables: Folder of Parquet tables from `ingest`.
        code: Project files by name; `features.py` defines `build_features(tables)`. Without it
            the single source is passed through.
        repo_code: Files of the Feast repository by name; empty without a feature store.
        built: `labels.parquet`, and one folder of Parquet files per source of features.
        metrics: Rows of each table.
    """
    from pathlib import Path

    from headrace.components.features.feature_builder import builder as work

    rows = work.run(
        tables=Path(tables.path), code=code, repo_code=repo_code, built=Path(built.path)
    )
    for name, count in rows.items():
        metrics.log_metric(f"rows_{name}", count)
