"""``headrace schedule``: runs that a cluster starts again and again."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from headrace.cli.cluster.options import (
    grouped,
)
from headrace.cli.options import ProjectArgument
from headrace.pipelines.cluster.connection import Connection

_CREATE = "create"


class _ProjectFirst(TyperGroup):
    """Takes a project where a subcommand would be, as short for ``create``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Puts ``create`` before a project or an option."""
        if args and args[0] not in {*self.commands, "--help"}:
            args = [_CREATE, *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=_ProjectFirst,
    help="Run a project on Kubeflow Pipelines again and again. "
    "`headrace schedule PROJECT …` means `create`.",
    no_args_is_help=True,
)

ScheduleArgument = Annotated[str, typer.Argument(help="A schedule's id or name.")]


@app.command(_CREATE)
@grouped
def create(
    project: ProjectArgument,
    connection: Connection,
    work: dict[str, Any],
    settings: dict[str, Any],
    cron: Annotated[
        str | None,
        typer.Option(
            help='Six fields in UTC, seconds first: "0 30 6 * * *" is 6:30 every day.',
            show_default=False,
        ),
    ] = None,
    interval: Annotated[
        int | None, typer.Option(help="Seconds between two starts.", show_default=False)
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Name.", show_default="project and pipeline")
    ] = None,
    start: Annotated[
        datetime | None, typer.Option(help="Not before it (UTC).", show_default=False)
    ] = None,
    end: Annotated[
        datetime | None, typer.Option(help="Not after it (UTC).", show_default=False)
    ] = None,
    max_concurrency: Annotated[int, typer.Option(help="Runs at a time, 1 to 10.")] = 1,
    catchup: Annotated[
        bool, typer.Option("--catchup/--no-catchup", help="Make up for missed starts.")
    ] = False,
    cache: Annotated[
        bool,
        typer.Option(
            "--cache/--no-cache",
            help="Let KFP reuse steps. The arguments never change, so it would not read new data.",
        ),
    ] = False,
) -> None:
    """Run PROJECT at these times, with its code and settings as they are now."""
    from headrace.pipelines.cluster import schedules
    from headrace.pipelines.cluster.arguments import Work, arguments
    from headrace.pipelines.cluster.client import connect
    from headrace.pipelines.cluster.submission import Settings

    when = schedules.When(
        cron=cron,
        interval=interval,
        start=start,
        end=end,
        max_concurrency=max_concurrency,
        catchup=catchup,
    )
    when.check()
    chosen = Work(folder=project, **work)
    values = arguments(chosen)
    chosen_settings = Settings(name=name, cache=cache, **settings)
    made = schedules.create(connect(connection), chosen, values, chosen_settings, when)
    typer.echo(f"{made.recurring_run_id}  {made.display_name}")


@app.command("list")
@grouped
def list_schedules(connection: Connection) -> None:
    """Lists schedules, newest first."""
    from rich.console import Console

    from headrace.cli.cluster.display import schedule_table
    from headrace.pipelines.cluster import schedules
    from headrace.pipelines.cluster.client import connect

    cluster = connect(connection)
    found = schedules.every(cluster)
    Console().print(schedule_table(found) if found else f"No schedules on {cluster.url} yet.")


@app.command()
@grouped
def enable(schedule: ScheduleArgument, connection: Connection) -> None:
    """Switches a schedule on."""
    _set_enabled(schedule, connection, enabled=True)


@app.command()
@grouped
def disable(schedule: ScheduleArgument, connection: Connection) -> None:
    """Switches a schedule off; it stays there."""
    _set_enabled(schedule, connection, enabled=False)


@app.command()
@grouped
def delete(schedule: ScheduleArgument, connection: Connection) -> None:
    """Removes a schedule; runs that it started stay."""
    from headrace.pipelines.cluster import schedules
    from headrace.pipelines.cluster.client import connect

    cluster = connect(connection)
    found = schedules.find(cluster, schedule)
    schedules.delete(cluster, found)
    typer.echo(f"Removed {found.display_name}.")


def _set_enabled(schedule: str, connection: Connection, *, enabled: bool) -> None:
    from headrace.pipelines.cluster import schedules
    from headrace.pipelines.cluster.client import connect

    cluster = connect(connection)
    found = schedules.find(cluster, schedule)
    schedules.set_enabled(cluster, found, enabled)
    typer.echo(f"{found.display_name} is {'on' if enabled else 'off'}.")
