"""``headrace features materialize``: sources to fresh features online."""

from __future__ import annotations

from typing import Annotated

import typer

from headrace.cli.features.options import FOUND, ConfigOption
from headrace.cli.options import HomeOption, ProjectArgument, home_of


def materialize(
    project: ProjectArgument,
    home: HomeOption = None,
    config: ConfigOption = None,
    until: Annotated[
        str, typer.Option(help="Last moment to bring online (ISO 8601).", show_default="now")
    ] = "",
) -> None:
    """Build PROJECT's feature tables and bring them online, through the compiled pipeline.

    Exit code: 0 done, 1 failed, 4 online values differ from those of training.
    """
    from rich.console import Console

    from headrace.components.shared.config.project import load
    from headrace.pipelines.compile import for_this_machine
    from headrace.pipelines.local import display, runner
    from headrace.pipelines.local.records import State
    from headrace.pipelines.materialization.arguments import arguments

    place = home_of(project, home)
    values = arguments(project, home=place, config=config, until=until)
    progress = display.Progress()
    platform = load(project).platform
    with progress.shown(), for_this_machine("materialization", platform) as pipeline:
        record = runner.run(
            pipeline,
            values,
            home=place,
            project=project.resolve().name,
            on_event=progress,
        )
    display.show(record, Console(), again="the same command")
    if record.state is not State.SUCCEEDED:
        raise typer.Exit(1)
    raise typer.Exit(0 if record.tasks["feature-check"].blessed else FOUND)
