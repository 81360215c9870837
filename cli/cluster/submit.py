"""``headrace submit``: a project through the compiled pipeline, on a cluster."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from headrace.cli.cluster.options import (
    EveryOption,
    grouped,
)
from headrace.cli.options import ProjectArgument
from headrace.pipelines.cluster.connection import Connection

if TYPE_CHECKING:
    from headrace.pipelines.cluster.client import Cluster


class ExitCode(IntEnum):
    """What scripts can tell from the exit code of a command that waits."""

    SUCCEEDED = 0
    FAILED = 1
    INTERRUPTED = 130


@grouped
def submit(
    project: ProjectArgument,
    connection: Connection,
    work: dict[str, Any],
    settings: dict[str, Any],
    run_name: Annotated[
        str | None, typer.Option("--run-name", help="Name.", show_default="project and time")
    ] = None,
    cache: Annotated[
        bool, typer.Option("--cache/--no-cache", help="Let KFP reuse steps with the same inputs.")
    ] = True,
    wait: Annotated[bool, typer.Option("--wait", help="Show the run until it has ended.")] = False,
    every: EveryOption = 5.0,
) -> None:
    """Run PROJECT on Kubeflow Pipelines.

    With --wait the exit code is 0 when the run succeeded, 1 when it failed, 130 when it was
    canceled or you pressed Ctrl-C (the run goes on then).
    """
    from headrace.pipelines.cluster.arguments import Work, arguments
    from headrace.pipelines.cluster.client import connect
    from headrace.pipelines.cluster.submission import Settings
    from headrace.pipelines.cluster.submission import submit as start

    chosen = Work(folder=project, **work)
    # What is wrong with the project is said before any server is asked.
    values = arguments(chosen)
    cluster = connect(connection)
    run = start(cluster, chosen, values, Settings(name=run_name, cache=cache, **settings))
    typer.echo(f"{run.run_id}  {run.display_name}\n{cluster.run_link(run.run_id)}")
    if wait:
        raise typer.Exit(follow(cluster, run.run_id, every))


def follow(cluster: Cluster, run_id: str, every: float) -> ExitCode:
    """Shows a run until it has ended."""
    from rich.console import Console

    from headrace.cli.cluster import display
    from headrace.pipelines.cluster import runs

    try:
        ended: Any = display.follow(runs.watch(cluster, run_id, every), Console())
    except KeyboardInterrupt:
        typer.echo(
            f"The run goes on. See `headrace remote watch {run_id}`, or stop it with "
            f"`headrace remote terminate {run_id}`.",
            err=True,
        )
        return ExitCode.INTERRUPTED
    codes = {
        runs.SUCCEEDED: ExitCode.SUCCEEDED,
        runs.SKIPPED: ExitCode.SUCCEEDED,
        runs.CANCELED: ExitCode.INTERRUPTED,
    }
    return codes.get(ended.state, ExitCode.FAILED)
