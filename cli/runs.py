"""``headrace runs``: the history of local runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from headrace.cli.options import HomeOption, ProjectOption, home_of

if TYPE_CHECKING:
    from rich.table import Table

    from headrace.pipelines.local.comparison import Row
    from headrace.pipelines.local.home import Home
    from headrace.pipelines.local.records import RunRecord

app = typer.Typer(help="Look at earlier runs, compare them, remove old ones.", no_args_is_help=True)

RunArgument = Annotated[str, typer.Argument(help="A run id, the start of one, or `latest`.")]
HERE = Path()
_LISTED = 20


@app.command("list")
def list_runs(
    project: ProjectOption = HERE,
    home: HomeOption = None,
    limit: Annotated[int, typer.Option(help="How many, newest first.")] = _LISTED,
) -> None:
    """Lists runs, newest first."""
    from rich.console import Console
    from rich.text import Text

    from headrace.components.shared.errors import StorageError
    from headrace.pipelines.local.display import MARKS, duration

    place = _home(project, home)
    ids = place.run_ids()[:limit]
    table = _table("", "run", "pipeline", "project", "time", "steps")
    for column in table.columns[:2]:
        column.no_wrap = True
    for run_id in ids:
        try:
            run = place.read(run_id)
        except StorageError:
            table.add_row("", run_id, Text("its record cannot be read", style="red"))
            continue
        mark, style = MARKS[run.state]
        table.add_row(
            Text(mark, style=style),
            run_id,
            run.pipeline,
            run.project,
            duration(run.seconds),
            _steps(run),
        )
    console = Console()
    console.print(table if ids else f"No runs in {place.path} yet.")


@app.command()
def show(
    run: RunArgument = "latest", project: ProjectOption = HERE, home: HomeOption = None
) -> None:
    """Shows a run's steps, gates and errors."""
    from rich.console import Console

    from headrace.pipelines.local import display

    record = _home(project, home).find(run)
    console = Console()
    console.print(f"[bold cyan]{record.pipeline}[/]  [dim]{record.run_id}[/]")
    display.show(record, console)
    console.print(f"\n[dim]Record: {record.folder / 'run.json'}[/]", soft_wrap=True)


@app.command()
def compare(
    first: RunArgument, second: RunArgument, project: ProjectOption = HERE, home: HomeOption = None
) -> None:
    """Compares two runs: changed arguments, verdicts, metrics, timings and compute."""
    from rich.console import Console

    from headrace.pipelines.local import comparison

    place = _home(project, home)
    one, two = place.find(first), place.find(second)
    result = comparison.compare(one, two)
    console = Console()
    sections = {
        "Changed arguments": result.arguments,
        "Verdicts": result.verdicts,
        "Metrics": result.metrics,
        "Seconds": result.seconds,
        "Compute": result.compute,
    }
    for title, rows in sections.items():
        if rows:
            console.print(_comparison_table(title, one.run_id, two.run_id, rows))
            console.print()


@app.command()
def report(
    run: RunArgument = "latest", project: ProjectOption = HERE, home: HomeOption = None
) -> None:
    """Writes a run's page: graph, timings, metrics, gates and artifacts."""
    from headrace.pipelines.local import report as pages

    typer.echo(pages.write(_home(project, home).find(run)))


@app.command()
def clean(
    keep: Annotated[int, typer.Option(min=0, help="How many runs stay, newest first.")],
    project: ProjectOption = HERE,
    home: HomeOption = None,
) -> None:
    """Removes older runs, and finished steps that no remaining run shows."""
    from headrace.pipelines.local import cleaning

    removed = cleaning.clean(_home(project, home), keep)
    typer.echo(
        f"Removed {removed.runs} runs and {removed.steps} finished steps, "
        f"{removed.bytes / 1e6:.1f} MB."
    )


def _home(project: Path, home: Path | None) -> Home:
    from headrace.pipelines.local.home import Home

    return Home(home_of(project, home))


def _table(*columns: str) -> Table:
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _steps(run: RunRecord) -> str:
    from collections import Counter

    counts = Counter(task.state.value for task in run.tasks.values())
    return ", ".join(f"{count} {state}" for state, count in counts.most_common())


def _comparison_table(title: str, first: str, second: str, rows: list[Row]) -> Table:
    table = _table(title, first, second, "change")
    for column in table.columns[1:]:
        column.justify = "right"
    for row in rows:
        change = "" if row.change is None else f"{row.change:+.4g}"
        table.add_row(row.name, _cell(row.first), _cell(row.second), change)
    return table


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
