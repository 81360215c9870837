"""``headrace upload``: a pipeline that others start from the web interface."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from headrace.cli.cluster.options import (
    grouped,
)
from headrace.pipelines.cluster.connection import Connection

if TYPE_CHECKING:
    from headrace.pipelines.cluster.arguments import Work
    from headrace.pipelines.cluster.package import Package


@grouped
def upload(
    name: Annotated[str, typer.Argument(help="Name of the pipeline on the server.")],
    source: Annotated[Path, typer.Argument(help="A compiled pipeline, or a project folder.")],
    connection: Connection,
    work: dict[str, Any],
    version: Annotated[
        str | None,
        typer.Option(
            "--version",
            help="Name of the version, such as that of `git describe`.",
            show_default="a hash of the content",
        ),
    ] = None,
) -> None:
    """Keep a pipeline on Kubeflow Pipelines, or a new version of it; same content, same version.

    A compiled pipeline goes as it is. A project goes as its pipeline with the project's code and
    settings as defaults; only `data_version` is left to whoever starts a run.
    """
    from headrace.pipelines.cluster import package, uploads
    from headrace.pipelines.cluster.arguments import Work
    from headrace.pipelines.cluster.client import connect

    is_project = source.is_dir()
    sent = _of_project(Work(folder=source, **work)) if is_project else package.read(source)
    cluster = connect(connection)
    done = uploads.upload(cluster, name, sent, version)
    verb = "Uploaded" if done.new else "The server has it already:"
    typer.echo(
        f"{verb} {name} {done.version}\n{cluster.version_link(done.pipeline_id, done.version_id)}"
    )


def _of_project(work: Work) -> Package:
    from headrace.pipelines.cluster.arguments import arguments

    values = arguments(work)
    return work.package.with_defaults(values)
