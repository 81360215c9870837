"""The materialization pipeline: sources in, fresh features online. Meant to run on a schedule.

Reading and building are the training pipeline's own steps with the same arguments, so where both
run on the same sources they are done once.
"""

from kfp import dsl

from headrace.components.data.ingest.component import ingest
from headrace.components.features.feature_builder.component import feature_builder
from headrace.components.features.materialize.component import materialize
from headrace.components.monitoring.feature_check.component import feature_check
from headrace.components.monitoring.run_status.component import run_status


@dsl.pipeline(
    name="materialization",
    description="Sources to fresh features online, checked against training's.",
)
def materialization_pipeline(
    project: str,
    sources: dict,
    data_version: str,
    features_code: dict,
    repo_code: dict,
    service: str,
    root: str,
    until: str = "",
):
    """Builds the feature tables and brings their newest rows online.

    Args:
        project: Name of the project.
        sources: Source name to its definition.
        data_version: Any text that changes when the sources change.
        features_code: Files for `feature_builder`: features.py.
        repo_code: Files of the Feast repository.
        service: Feature service to check in the end.
        root: Folder or URI that paths in the repository are relative to.
        until: Last moment to bring online (ISO 8601); empty for now.
    """
    last = run_status(project=project).set_caching_options(False)
    with dsl.ExitHandler(last, name="refresh"):
        ingested = ingest(sources=sources, data_version=data_version)
        built = feature_builder(
            tables=ingested.outputs["tables"], code=features_code, repo_code=repo_code
        )
        online = materialize(
            built=built.outputs["built"], repo_code=repo_code, root=root, until=until
        )
        # It changes stores outside of the pipeline, so no earlier run stands for it.
        online.set_caching_options(False)
        checked = feature_check(repo_code=repo_code, root=root, service=service, as_of=until)
        checked.set_caching_options(False).after(online)
