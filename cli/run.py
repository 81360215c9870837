"""``headrace run``: a project through the compiled training pipeline, on this machine."""

from __future__ import annotations

from enum import IntEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from headrace.cli.options import HomeOption, ProjectArgument, SetOption, home_of

if TYPE_CHECKING:
    from rich.console import Console

    from headrace.pipelines.local.records import RunRecord


class ExitCode(IntEnum):
    """What scripts can tell from the exit code."""

    PUSHED = 0
    FAILED = 1
    NOT_PROMOTED = 3
    INTERRUPTED = 130


def run(
    project: ProjectArgument,
    home: HomeOption = None,
    overrides: SetOption = None,
    resume: Annotated[
        str | None,
        typer.Option("--resume", metavar="RUN", help="Continue a run; `latest` for the newest."),
    ] = None,
    cache: Annotated[
        bool, typer.Option("--cache/--no-cache", help="Reuse steps whose inputs did not change.")
    ] = True,
    prices: Annotated[
        Path | None,
        typer.Option(
            "--prices",
            envvar="HEADRACE_PRICES",
            help="YAML file with what compute costs: the run then shows its cost.",
        ),
    ] = None,
) -> None:
    """Train, gate and push the model of PROJECT.

    Exit code: 0 pushed (or live already), 1 failed, 3 a gate did not promote the model,
    130 interrupted.
    """
    from rich.console import Console

    from headrace.components.shared.config.project import load
    from headrace.pipelines.compile import for_this_machine
    from headrace.pipelines.local import display, runner
    from headrace.pipelines.local.cost import read_prices
    from headrace.pipelines.training.arguments import arguments

    place = home_of(project, home)
    values = {} if resume else arguments(project, home=place, overrides=overrides or [])
    platform = load(project, overrides or []).platform
    known = read_prices(prices) if prices else None
    progress = display.Progress()
    with progress.shown(), for_this_machine("training", platform) as pipeline:
        record = runner.run(
            pipeline,
            values,
            home=place,
            project=project.resolve().name,
            cache=cache,
            resume=resume,
            prices=known,
            on_event=progress,
        )
    console = Console()
    display.show(record, console)
    _show_model(record, console)
    raise typer.Exit(_exit_code(record))


def _show_model(record: RunRecord, console: Console) -> None:
    from rich.text import Text

    from headrace.cli.result import result_tables

    for renderable in result_tables(record):
        console.print()
        console.print(renderable)
    console.print(Text(f"\nReport: {record.folder / 'report.html'}", style="bold"), soft_wrap=True)


def _exit_code(record: RunRecord) -> ExitCode:
    from headrace.pipelines.local.records import DONE, State

    if record.state is State.INTERRUPTED:
        return ExitCode.INTERRUPTED
    if record.state is not State.SUCCEEDED:
        return ExitCode.FAILED
    pusher = record.tasks.get("pusher")
    pushed = pusher is not None and pusher.state in DONE
    return ExitCode.PUSHED if pushed else ExitCode.NOT_PROMOTED
