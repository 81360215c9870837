"""The batch inference pipeline: a Parquet table in, predictions out. Meant to run on a schedule."""

from kfp import dsl

from headrace.components.deployment.batch_inference.component import batch_inference
from headrace.components.monitoring.run_status.component import run_status


@dsl.pipeline(
    name="batch-inference",
    description="A Parquet table predicted by a pushed model.",
)
def batch_inference_pipeline(
    project: str,
    rows: str,
    destination: str,
    models: str,
    repo_code: dict,
    root: str,
    version: int = 0,
    keys: list = [],  # noqa: B006
    as_of: str = "",
    shard_rows: int = 100_000,
):
    """Predicts every row of a table.

    Args:
        project: Name of the project and its model.
        rows: Parquet file, folder or glob, local or a URI.
        destination: Folder or URI above the predictions' folder.
        models: Folder or URI of pushed models.
        repo_code: Files of the Feast repository; empty without a feature store.
        root: Folder or URI that paths in the repository are relative to.
        version: Version to ask; 0 for the newest.
        keys: Columns to copy beside the predictions.
        as_of: Moment (ISO 8601) for a table without `event_timestamp`.
        shard_rows: Rows of a shard, at most.
    """
    last = run_status(project=project).set_caching_options(False)
    with dsl.ExitHandler(last, name="predict"):
        predicted = batch_inference(
            rows=rows,
            destination=destination,
            models=models,
            model=project,
            version=version,
            keys=keys,
            as_of=as_of,
            repo_code=repo_code,
            root=root,
            shard_rows=shard_rows,
        )
        # It reads and writes outside of the pipeline, and knows itself what is done already.
        predicted.set_caching_options(False)
