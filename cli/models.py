"""``headrace models``: what happened to the versions of pushed models."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from headrace.cli.options import HomeOption, ProjectOption, home_of

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

    from rich.table import Table

    from headrace.serving.audit.trail import Entry

app = typer.Typer(help="Look at the versions of served models.", no_args_is_help=True)

HERE = Path()
TRAIL = "audit.jsonl"


@app.callback()
def _group() -> None:
    """Keeps ``history`` a subcommand while it is the only one."""


@app.command()
def history(
    model: Annotated[
        str | None, typer.Argument(help="The model; all when left out.", show_default=False)
    ] = None,
    at: Annotated[
        str | None,
        typer.Option(
            metavar="MOMENT",
            help="Say which version answered at this moment (ISO 8601, UTC without a zone).",
            show_default=False,
        ),
    ] = None,
    trail: Annotated[
        Path | None,
        typer.Option(
            help="The audit trail; by default audit.jsonl in the home.", show_default=False
        ),
    ] = None,
    project: ProjectOption = HERE,
    home: HomeOption = None,
) -> None:
    """Show what was pushed, loaded, answering and unloaded; or what answered at a moment."""
    from rich.console import Console

    from headrace.components.shared.errors import ConfigError
    from headrace.serving.audit.history import of_model
    from headrace.serving.audit.trail import read_trail

    path = trail or home_of(project, home) / TRAIL
    if not path.exists():
        raise ConfigError(
            f"There is no audit trail at {path}.",
            fix="Name it with --trail. `headrace gateway` writes it where gateway.yaml says, and "
            "`headrace serve` where --audit_file says.",
        )
    entries = of_model(read_trail(path), model)
    console = Console()
    if at is None:
        console.print(_events(entries) if entries else "Nothing has happened yet.")
        return
    from headrace.feature_store.clock import moment

    _show_answering(entries, moment(at))


def _show_answering(entries: Sequence[Entry], moment: dt.datetime) -> None:
    from headrace.serving.audit.history import answering_at

    found = answering_at(entries, moment)
    for item in found:
        label = f" (label {item.label})" if item.label else ""
        typer.echo(
            f"{item.model} version {item.version}{label} answered at "
            f"{moment:%Y-%m-%d %H:%M:%S %Z}, since {item.since:%Y-%m-%d %H:%M:%S} ({item.who})"
        )
    if not found:
        typer.echo(f"No version answered at {moment:%Y-%m-%d %H:%M:%S %Z}.")


def _events(entries: Sequence[Entry]) -> Table:
    from rich.table import Table

    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in ("time (UTC)", "model", "version", "what", "by"):
        table.add_column(name, overflow="fold", justify="right" if name == "version" else "left")
    for entry in entries:
        event = entry.event
        when = f"{entry.time:%Y-%m-%d %H:%M:%S}"
        what = f"{event.what} {event.detail.get('label', '')}".rstrip()
        by = f"{event.actor}, for {event.detail['by']}" if "by" in event.detail else event.actor
        table.add_row(when, event.model, str(event.version or ""), what, by)
    return table
