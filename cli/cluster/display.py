"""Shows what a server says to people."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from headrace.pipelines.cluster import runs
from headrace.pipelines.cluster.steps import Step, steps, task_count
from headrace.pipelines.local.display import duration

if TYPE_CHECKING:
    from rich.console import RenderableType

_MARKS = {
    "SUCCEEDED": ("✔", "green"),
    "FAILED": ("✘", "bold red"),
    "RUNNING": ("▶", "cyan"),
    "SKIPPED": ("○", "dim"),
    "CANCELING": ("■", "yellow"),
    "CANCELED": ("■", "yellow"),
    "PAUSED": ("■", "yellow"),
}
_OTHER = ("·", "dim")


def run_table(found: Iterable[Any]) -> Table:
    """Runs with their state and times."""
    table = _table("", "run", "id", "state", "started", "time")
    for run in found:
        mark, style = _MARKS.get(run.state, _OTHER)
        table.add_row(
            Text(mark, style=style),
            Text(run.display_name or ""),
            run.run_id,
            (run.state or "pending").lower(),
            _moment(run.created_at),
            _span(run.created_at, run.finished_at, run.state),
        )
    return table


def schedule_table(found: Iterable[Any]) -> Table:
    """Schedules with their state and times."""
    table = _table("schedule", "id", "state", "when (UTC)", "at once", "created")
    for schedule in found:
        table.add_row(
            Text(schedule.display_name or ""),
            schedule.recurring_run_id,
            (schedule.status or schedule.mode or "").lower(),
            _when(schedule.trigger),
            str(schedule.max_concurrency or ""),
            _moment(schedule.created_at),
        )
    return table


def run_view(run: Any) -> Group:
    """A run with its steps, as it is now."""
    found = steps(run)
    parts: list[RenderableType] = [_step_table(found)] if found else []
    return Group(*parts, _closing(run, found))


def failures(run: Any) -> list[Text]:
    """What the server says about failed steps, and about the run."""
    texts = [_failure(step.name, step.error) for step in steps(run) if step.error]
    if run.error and run.error.message:
        texts.append(_failure(run.display_name or run.run_id, run.error.message))
    return texts


def follow(states: Iterable[Any], console: Console) -> Any:
    """Shows a run until it has ended; returns its last state.

    On a terminal that is a live view; elsewhere a line per change.
    """
    last, seen = None, dict[str, str]()
    if console.is_terminal:
        with Live(console=console, transient=True, auto_refresh=False) as live:
            for last in states:
                live.update(run_view(last), refresh=True)
    else:
        for last in states:
            for step in steps(last):
                if seen.get(step.name) != step.state:
                    seen[step.name] = step.state
                    console.print(_line(step), soft_wrap=True)
    console.print(run_view(last))
    for text in failures(last):
        console.print(text, soft_wrap=True)
    return last


def _line(step: Step) -> Text:
    mark, style = _MARKS.get(step.state, _OTHER)
    line = Text(f"{mark} {step.name}", style=style)
    return line.append(f"  {step.state.lower()}", style="dim")


def _step_table(found: Iterable[Step]) -> Table:
    table = _table("", "step", "state", "time")
    for step in found:
        mark, style = _MARKS.get(step.state, _OTHER)
        table.add_row(
            Text(mark, style=style),
            Text(step.name, style=style),
            step.state.lower(),
            _span(step.started, step.ended, step.state),
        )
    return table


def _closing(run: Any, found: list[Step]) -> Text:
    _, style = _MARKS.get(run.state, _OTHER)
    line = Text((run.state or "PENDING").lower(), style=style)
    done = sum(step.state in {runs.SUCCEEDED, runs.SKIPPED} for step in found)
    total = max(task_count(run), len(found))
    time = _span(run.created_at, run.finished_at, run.state)
    counted = f"{done}/{total} steps, " if total else ""
    return line.append(f"  {counted}{time}", style="dim")


def _failure(name: str, message: str) -> Text:
    return Text.assemble((f"✘ {name}: ", "bold red"), message)


def _when(trigger: Any) -> str:
    if trigger and trigger.cron_schedule:
        return str(trigger.cron_schedule.cron)
    if trigger and trigger.periodic_schedule:
        return f"every {duration(float(trigger.periodic_schedule.interval_second))}"
    return ""


def _moment(value: datetime | None) -> str:
    return f"{value.astimezone():%Y-%m-%d %H:%M}" if value else ""


def _span(start: datetime | None, end: datetime | None, state: str | None) -> str:
    if not start:
        return ""
    # Servers say 1970 for an end that has not come.
    if not end or end < start:
        end = start if state in runs.ENDED else datetime.now(UTC)
    return duration(max((end - start).total_seconds(), 0.0))


def _table(*columns: str) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column in {"", "state", "started"})
    return table
