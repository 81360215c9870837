"""Shows a run to people: live while it goes on, a table when it has ended, errors in full."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

from rich.console import Console, Group
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from headrace.pipelines.local.cost import Prices, Usage
from headrace.pipelines.local.records import (
    DONE,
    ErrorRecord,
    Event,
    RunRecord,
    State,
    TaskRecord,
    now,
)

MARKS = {
    State.PENDING: ("·", "dim"),
    State.RUNNING: ("▶", "cyan"),
    State.SUCCEEDED: ("✔", "green"),
    State.CACHED: ("≡", "blue"),
    State.FAILED: ("✘", "bold red"),
    State.SKIPPED: ("○", "dim"),
    State.INTERRUPTED: ("■", "yellow"),
}
_REFRESH_PER_SECOND = 8
#: Finished steps shown above the running ones; more would scroll a small terminal.
_RECENT = 12


def duration(seconds: float) -> str:
    """A time span for people."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 100:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s"


def memory(megabytes: float) -> str:
    """An amount of memory for people."""
    if not megabytes:
        return ""
    return f"{megabytes / 1000:.1f} GB" if megabytes >= 1000 else f"{megabytes:.0f} MB"


def money(usage: Usage, prices: Prices) -> str:
    """A cost for people."""
    cost = usage.cost(prices)
    return f"{cost:,.2f} {prices.currency}" if cost >= 1 else f"{cost:.6f} {prices.currency}"


class Progress:
    """An event listener that shows steps as they start and end.

    Use it as a context manager around ``runner.run(..., on_event=progress)``. On a terminal it
    keeps a live view; elsewhere it prints one line per event.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console()
        self._live: Live | None = None
        self._run: RunRecord | None = None
        self._seen: dict[str, State] = {}
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def shown(self) -> Iterator[Progress]:
        """Keeps the live view up."""
        if not self._console.is_terminal:
            yield self
            return
        with Live(
            get_renderable=self._view,
            console=self._console,
            refresh_per_second=_REFRESH_PER_SECOND,
            transient=True,
        ) as self._live:
            yield self

    def __call__(self, event: Event) -> None:
        """Takes note of an event."""
        with self._lock:
            self._run = event.run
            if event.kind == "message":
                self._print(Text(event.text, style="yellow"))
            elif event.kind == "run_started":
                self._print(_heading(event.run))
            elif event.task and self._seen.get(event.task.name) is not event.task.state:
                self._seen[event.task.name] = event.task.state
                if not self._live or event.task.state in {State.FAILED}:
                    self._print(task_line(event.task))

    def _print(self, line: Text) -> None:
        self._console.print(line, soft_wrap=True)

    def _view(self) -> Group:
        run = self._run
        if run is None:
            return Group(Text("starting …", style="dim"))
        tasks = list(run.tasks.values())
        ended = [task for task in tasks if task.state not in {State.PENDING, State.RUNNING}]
        running = [task for task in tasks if task.state is State.RUNNING]
        waiting = sum(task.state is State.PENDING for task in tasks)
        lines: list[Any] = [task_line(task) for task in ended[-_RECENT:]]
        for line in lines:
            # A wrapped line would push the live view out of its place.
            line.no_wrap, line.overflow = True, "ellipsis"
        lines += [_running_line(task) for task in running]
        done = sum(task.state in DONE for task in tasks)
        summary = f"{done}/{len(tasks)} steps, {duration(run.seconds)}"
        lines.append(Text(f"{summary}, {waiting} waiting" if waiting else summary, style="dim"))
        return Group(*lines)


def task_line(task: TaskRecord) -> Text:
    """One line about a step."""
    mark, style = MARKS[task.state]
    line = Text.assemble((f"{mark} {task.name}", style))
    details = [task.state.value]
    if task.state is State.SUCCEEDED:
        details = [duration(task.seconds)]
    if task.state is State.SKIPPED and task.reason:
        details.append(task.reason)
    if task.attempts > 1:
        details.append(f"attempt {task.attempts}")
    if task.verdict:
        details.append(task.verdict)
    line.append("  " + ", ".join(details), style="dim")
    return line


def _running_line(task: TaskRecord) -> Table:
    elapsed = (now() - task.started).total_seconds() if task.started else 0.0
    row = Table.grid(padding=(0, 1))
    text = Text(task.name, style="bold")
    text.append(f"  {duration(elapsed)}", style="dim")
    row.add_row(Spinner("dots", style="cyan"), text)
    return row


def _heading(run: RunRecord) -> Text:
    verb = "Resuming" if run.resumed else "Running"
    return Text.assemble(
        (f"{verb} ", "bold"), (run.pipeline, "bold cyan"), (f"  {run.run_id}", "dim")
    )


def summary(run: RunRecord) -> Table:
    """The closing table: one row per step."""
    has_gates = any(task.verdict for task in run.tasks.values())
    table = Table(box=None, header_style="bold", pad_edge=False, expand=True)
    for column in ("", "step"):
        table.add_column(column, no_wrap=True)
    for column in ("time", "memory"):
        table.add_column(column, justify="right", no_wrap=True)
    if run.prices:
        table.add_column("cost", justify="right", no_wrap=True)
    table.add_column("output", overflow="ellipsis", no_wrap=True, ratio=1)
    if has_gates:
        table.add_column("verdict", overflow="ellipsis", no_wrap=True, ratio=2)
    for task in run.ordered:
        mark, style = MARKS[task.state]
        row = [Text(mark, style=style), Text(task.name, style=style), _time(task)]
        row.append(Text(memory(task.peak_memory_mb)))
        if run.prices:
            row.append(_cost(task, run.prices))
        row.append(Text(_outputs(task), style="dim"))
        table.add_row(*row, *([_verdict(task)] if has_gates else []))
    return table


def closing_line(run: RunRecord) -> Text:
    """How the run ended, in one line."""
    style = {State.SUCCEEDED: "bold green", State.FAILED: "bold red"}.get(run.state, "bold yellow")
    line = Text.assemble((f"{run.state.value} ", style))
    cached = sum(task.state is State.CACHED for task in run.tasks.values())
    parts = [f"in {duration(run.seconds)}", f"{cached} of {len(run.tasks)} steps cached"]
    if run.peak_memory_mb:
        parts.append(f"peak memory {memory(run.peak_memory_mb)}")
    if run.prices:
        parts.append(f"cost {money(run.bill.run, run.prices)}")
        if cached:
            parts.append(f"{money(run.bill.result, run.prices)} with cached steps")
    line.append(", ".join(parts), style="dim")
    return line


def errors(run: RunRecord) -> list[Text]:
    """Every error of a failed run, for people: what happened, what to do, where the log is."""
    own = [(task.name, task.error) for task in run.failed_tasks if task.error]
    texts = [_error(name, error) for name, error in own]
    if run.error and not own:
        texts.append(_error(run.pipeline, run.error))
    if run.state is State.INTERRUPTED:
        texts.append(Text("The run was interrupted; finished steps are kept.", style="yellow"))
    return texts


def show(run: RunRecord, console: Console | None = None, *, again: str | None = None) -> None:
    """Prints the closing table, the errors and how to go on.

    Args:
        run: The run.
        console: Where to; the terminal when left out.
        again: What goes on with a run that did not succeed; ``--resume`` when left out.
    """
    out = console or Console()
    out.print(summary(run))
    out.print(closing_line(run))
    for text in errors(run):
        out.print()
        out.print(text, soft_wrap=True)
    if run.state in {State.FAILED, State.INTERRUPTED}:
        out.print(Text.assemble("\nContinue with ", (again or f"--resume {run.run_id}", "bold")))


def _error(name: str, error: ErrorRecord) -> Text:
    text = Text.assemble((f"✘ {name}: ", "bold red"), error.message)
    if error.fix:
        text.append(f"\n  {error.fix}")
    if error.log:
        text.append(f"\n  Log: {error.log}", style="dim")
    return text


def _time(task: TaskRecord) -> Text:
    if task.state is State.CACHED:
        return Text("cached", style="blue")
    if task.state in {State.SKIPPED, State.PENDING}:
        return Text(task.state.value, style="dim")
    return Text(duration(task.seconds))


def _cost(task: TaskRecord, prices: Prices) -> Text:
    if task.state is State.CACHED:
        return Text("")
    return Text(money(task.usage, prices))


def _verdict(task: TaskRecord) -> Text:
    if task.verdict is None:
        return Text("")
    style = {True: "green", False: "red"}.get(task.blessed, "") if task.blessed is not None else ""
    return Text(task.verdict, style=style)


def _outputs(task: TaskRecord) -> str:
    if task.reason:
        return task.reason
    shown = [
        f"{name}={value}"
        for name, value in task.outputs.parameters.items()
        if name not in {"verdict", "blessed"} and isinstance(value, str | int | float | bool)
    ]
    return ", ".join([*task.outputs.artifacts, *shown])
