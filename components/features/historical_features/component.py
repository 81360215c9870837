"""Interface of ``historical_features``."""

from typing import NamedTuple

from kfp import dsl

from headrace.components.shared.interface import CORE_IMAGE, component


@component(CORE_IMAGE)
def historical_features(
    built: dsl.Input[dsl.Dataset],
    repo_code: dict,
    feature_store: dict,
    label: dict,
    features: dict,
    table: dsl.Output[dsl.Dataset],
    metrics: dsl.Output[dsl.Metrics],
) -> NamedTuple("Outputs", [("asked", dict)]):
    """Joins each label with the features that were known at its time, through Feast.

    As many rows come out as went in, in the same order, or the step fails. The join is Feast's
    `get_historical_features` on a registry made from the repository's files, so it depends on
    nothing but the inputs. Without a feature service the labels pass through.

    Args:
        built: Label table and sources from `feature_builder`.
        repo_code: Files of the Feast repository by name.
        feature_store: The section `feature_store` of project.yaml.
        label: The section `label` of project.yaml.
        features: The section `features` of project.yaml.
        table: One Parquet file with features, label, keys and times.
        metrics: Rows and columns.

    Returns:
        asked: Feature service, its version, the registry's hash, join keys and request fields;
            empty without a feature store.
    """
    from pathlib import Path

    from headrace.components.features.historical_features import history as work

    rows, asked = work.run(
        built=Path(built.path),
        repo_code=repo_code,
        feature_store=feature_store,
        label=label,
        features=features,
        table=Path(table.path),
    )
    metrics.log_metric("rows", rows.height)
    metrics.log_metric("columns", rows.width)
    table.metadata.update(asked)
    return (asked,)
