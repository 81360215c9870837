"""``headrace upload``: a pipeline that others start from the web interface."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from headrace.cli.cluster.options import (
    DataOption,
    FeatureConfigOption,
    FeatureRootOption,
    PipelineOption,
    ProjectOrFile,
    connected,
)
from headrace.cli.options import SetOption
from headrace.pipelines.cluster.connection import Connection


@connected
def upload(
    name: Annotated[str, typer.Argument(help="Name of the pipeline on the server.")],
    source: ProjectOrFile,
    connection: Connection,
    version: Annotated[
        str | None,
        typer.Option(
            "--version",
            help="Name of the version, such as that of `git describe`.",
            show_default="a hash of the content",
        ),
    ] = None,
    pipeline: PipelineOption = "training",
    overrides: SetOption = None,
    data_in_image: DataOption = False,
    feature_root: FeatureRootOption = None,
    feature_config: FeatureConfigOption = None,
) -> None:
    """Keep a pipeline on Kubeflow Pipelines, or a new version of it; same content, same version.

    A compiled pipeline goes as it is. A project goes as its pipeline with the project's code and
    settings as defaults; only `data_version` is left to whoever starts a run.
    """
    from headrace.pipelines.cluster import package, uploads
    from headrace.pipelines.cluster.arguments import Work
    from headrace.pipelines.cluster.client import connect

    work = Work(
        folder=source,
        pipeline=pipeline,
        overrides=overrides or (),
        data_in_image=data_in_image,
        feature_root=feature_root,
        feature_config=feature_config,
    )
    spec = _of_project(work) if source.is_dir() else package.read(source)
    cluster = connect(connection)
    done = uploads.upload(cluster, name, spec, version)
    verb = "Uploaded" if done.new else "The server has it already:"
    typer.echo(
        f"{verb} {name} {done.version}\n"
        f"{cluster.url}/#/pipelines/details/{done.pipeline_id}/version/{done.version_id}"
    )


def _of_project(work: Any) -> dict[str, Any]:
    from headrace.pipelines.cluster import package
    from headrace.pipelines.cluster.arguments import arguments

    return package.with_defaults(package.read(Path(work.package)), arguments(work))
