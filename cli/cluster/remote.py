"""``headrace remote``: runs on a cluster."""

from __future__ import annotations

from typing import Annotated

import typer

from headrace.cli.cluster.options import EveryOption, RunArgument, grouped
from headrace.cli.cluster.submit import follow
from headrace.pipelines.cluster.connection import Connection

app = typer.Typer(
    help="Look at runs on Kubeflow Pipelines, try them again, stop them.", no_args_is_help=True
)


@app.command("list")
@grouped
def list_runs(
    connection: Connection,
    limit: Annotated[int, typer.Option(min=1, help="How many, newest first.")] = 20,
) -> None:
    """Lists runs, newest first."""
    from rich.console import Console

    from headrace.cli.cluster.display import run_table
    from headrace.pipelines.cluster import runs
    from headrace.pipelines.cluster.client import connect

    cluster = connect(connection)
    found = runs.recent(cluster, limit)
    Console().print(run_table(found) if found else f"No runs on {cluster.url} yet.")


@app.command()
@grouped
def show(connection: Connection, run: RunArgument = "latest") -> None:
    """Shows a run's steps, their states and errors."""
    from rich.console import Console
    from rich.text import Text

    from headrace.cli.cluster import display
    from headrace.pipelines.cluster import runs
    from headrace.pipelines.cluster.client import connect

    cluster = connect(connection)
    found = runs.find(cluster, run)
    console = Console()
    console.print(Text.assemble((found.display_name, "bold cyan"), (f"  {found.run_id}", "dim")))
    console.print(display.run_view(found))
    for text in display.failures(found):
        console.print(text, soft_wrap=True)
    console.print(Text(cluster.run_link(found.run_id), style="dim"), soft_wrap=True)


@app.command()
@grouped
def watch(connection: Connection, run: RunArgument = "latest", every: EveryOption = 5.0) -> None:
    """Shows a run until it has ended.

    Exit code: 0 succeeded, 1 failed, 130 canceled, or Ctrl-C (the run goes on then).
    """
    from headrace.pipelines.cluster import runs
    from headrace.pipelines.cluster.client import connect

    cluster = connect(connection)
    raise typer.Exit(follow(cluster, runs.find(cluster, run).run_id, every))


@app.command()
@grouped
def logs(
    connection: Connection,
    run: RunArgument = "latest",
    step: Annotated[
        str | None, typer.Option("--step", help="One step.", show_default="all")
    ] = None,
) -> None:
    """Prints the logs of a run's steps where the server gives them.

    The API of KFP 2 has no logs. The API server itself still answers for pods that exist; the
    address of the web interface does not. Otherwise you get the kubectl command.
    """
    from headrace.components.shared.errors import ConfigError
    from headrace.components.shared.text import nearest
    from headrace.pipelines.cluster import runs
    from headrace.pipelines.cluster import steps as parts
    from headrace.pipelines.cluster.client import connect
    from headrace.pipelines.cluster.logs import print_logs

    cluster = connect(connection)
    found = runs.find(cluster, run)
    begun = parts.steps(found)
    wanted = [item for item in begun if step in (None, item.name)]
    if step and not wanted:
        names = [item.name for item in begun]
        raise ConfigError(f"No step {step!r} of this run has begun.", fix=nearest(step, names))
    print_logs(cluster, found.run_id, wanted, typer.echo)


@app.command()
@grouped
def retry(connection: Connection, run: RunArgument) -> None:
    """Runs the failed steps of a run again."""
    from headrace.pipelines.cluster import runs
    from headrace.pipelines.cluster.client import connect

    cluster = connect(connection)
    found = runs.find(cluster, run)
    runs.retry(cluster, found)
    typer.echo(f"Running again: {cluster.run_link(found.run_id)}")


@app.command()
@grouped
def terminate(connection: Connection, run: RunArgument) -> None:
    """Stops a run."""
    from headrace.pipelines.cluster import runs
    from headrace.pipelines.cluster.client import connect

    cluster = connect(connection)
    found = runs.find(cluster, run)
    runs.terminate(cluster, found)
    typer.echo(f"Stopping {found.display_name}.")
