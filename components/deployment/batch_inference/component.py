"""Interface of ``batch_inference``."""

from typing import NamedTuple

from kfp import dsl

from headrace.components.shared.interface import TFX_IMAGE, component


@component(TFX_IMAGE)
def batch_inference(
    rows: str,
    destination: str,
    models: str,
    model: str,
    version: int,
    keys: list,
    as_of: str,
    repo_code: dict,
    root: str,
    shard_rows: int,
    predictions: dsl.Output[dsl.Dataset],
    metrics: dsl.Output[dsl.Metrics],
    summary: dsl.Output[dsl.Markdown],
) -> NamedTuple("Outputs", [("version", int), ("verdict", str)]):
    """Predicts every row of a Parquet table with a pushed model; a killed run can be continued.

    Features come from the table; those that it lacks are joined as of each row's
    `event_timestamp` from the feature service that the model's manifest names. The model answers
    through `raw_tensors`, the signature that the gateway asks online.

    Work is divided into shards, and each shard's file appears whole. The same model and the same
    table continue where an earlier run ended; another model or a changed table starts anew, in a
    folder of its own. `<folder>.json` beside it appears last.

    Args:
        rows: Parquet file, folder or glob, local or a URI.
        destination: Folder or URI above the predictions' folder, `v<version>-<hash>`.
        models: Folder or URI of pushed models.
        model: Model name.
        version: Version to ask; 0 for the newest.
        keys: Columns to copy beside the predictions; empty for join keys, `event_timestamp` and
            whatever the model does not take.
        as_of: Moment (ISO 8601) for a table without `event_timestamp`.
        repo_code: Files of the Feast repository by name; empty without a feature store.
        root: What its paths are relative to; the features' tables are in `data` there.
        shard_rows: Rows of a shard, at most; bounds the memory.
        predictions: JSON with the place of the predictions and what was predicted.
        metrics: Rows, rows without a prediction, shards, and shards found done.
        summary: The same for people.

    Returns:
        version: The version that answered.
        verdict: One line for people.
    """
    from pathlib import Path

    from headrace.components.deployment.batch_inference import batch_inference as work
    from headrace.components.shared import files

    result = work.run(
        rows=rows,
        destination=destination,
        models=models,
        model=model,
        version=version,
        keys=keys,
        as_of=as_of,
        repo_code=repo_code,
        root=root,
        shard_rows=shard_rows,
    )
    files.write_json(Path(predictions.path), result.record())
    predictions.metadata.update(external_path=result.folder, version=result.version)
    for name in ("rows", "rejected", "shards", "found_done"):
        metrics.log_metric(name, getattr(result, name))
    Path(summary.path).write_text(work.summary(result))
    return (result.version, work.verdict(result))
