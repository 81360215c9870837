"""``headrace predict``: predictions of pushed models for a table."""

from __future__ import annotations

from typing import Annotated

import typer

from headrace.cli.options import HomeOption, ProjectArgument, home_of

app = typer.Typer(
    help="Ask models: a server's, a gateway's, or a pushed one for a whole table.",
    no_args_is_help=True,
)


@app.callback()
def _group() -> None:
    """Keeps ``batch`` a subcommand while it is the only one."""


@app.command()
def batch(
    project: ProjectArgument,
    rows: Annotated[str, typer.Argument(help="Parquet file, folder or glob.")],
    destination: Annotated[
        str, typer.Argument(help="Folder for the predictions' folder, `v<version>-<hash>`.")
    ],
    version: Annotated[
        int, typer.Option(help="Version to ask.", min=0, show_default="the newest")
    ] = 0,
    keys: Annotated[
        list[str] | None,
        typer.Option(
            "--key",
            metavar="COLUMN",
            help="Column to copy beside the predictions; may be given several times.",
            show_default="join keys, event_timestamp, and what the model does not take",
        ),
    ] = None,
    as_of: Annotated[
        str,
        typer.Option(
            metavar="MOMENT",
            help="Moment (ISO 8601) for a table without event_timestamp.",
            show_default=False,
        ),
    ] = "",
    home: HomeOption = None,
) -> None:
    """Predict every row of a Parquet table with PROJECT's pushed model.

    Killed? The same command continues with the shards that are not done yet.
    """
    from rich.console import Console

    from headrace.components.shared.config.project import load
    from headrace.pipelines.batch_inference.arguments import arguments
    from headrace.pipelines.compile import for_this_machine
    from headrace.pipelines.local import display, runner
    from headrace.pipelines.local.records import State

    place = home_of(project, home)
    values = arguments(
        project,
        home=place,
        rows=rows,
        destination=destination,
        version=version,
        keys=keys or [],
        as_of=as_of,
    )
    progress = display.Progress()
    with (
        progress.shown(),
        for_this_machine("batch_inference", load(project).platform) as pipeline,
    ):
        record = runner.run(
            pipeline, values, home=place, project=project.resolve().name, on_event=progress
        )
    display.show(record, Console())
    if record.state is not State.SUCCEEDED:
        raise typer.Exit(1)
    typer.echo(
        record.tasks["batch-inference"].outputs.artifacts["predictions"].metadata["external_path"]
    )
