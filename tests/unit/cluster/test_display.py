"""What people see of runs and schedules."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta

import kfp_server_api as kfp
import pytest
from rich.console import Console

from headrace.cli.cluster import display

START = datetime(2026, 1, 1, tzinfo=UTC)


def run(state, steps=(), minutes=0, error=None):
    details = [
        kfp.V2beta1PipelineTaskDetail(
            display_name=name,
            state=step_state,
            start_time=START,
            end_time=START + timedelta(seconds=90),
        )
        for name, step_state in steps
    ]
    return kfp.V2beta1Run(
        run_id="id",
        display_name="[nightly]",
        state=state,
        created_at=START,
        finished_at=START + timedelta(minutes=minutes),
        error=kfp.GoogleRpcStatus(message=error) if error else None,
        run_details=kfp.V2beta1RunDetails(task_details=details),
    )


def shown(renderable):
    console = Console(file=io.StringIO(), width=120)
    console.print(renderable)
    return console.file.getvalue()


def test_a_terminal_gets_a_live_view_and_then_the_end():
    states = [
        run("RUNNING", [("ingest", "RUNNING")]),
        run("FAILED", [("ingest", "SUCCEEDED"), ("train", "FAILED")], 10, error="out of memory"),
    ]
    console = Console(file=io.StringIO(), width=120, force_terminal=True)
    assert display.follow(states, console) is states[-1]
    text = console.file.getvalue()
    assert "\x1b[?25l" in text, "a live view hides the cursor"
    tail = text[text.rindex("ingest") :]
    assert "train" in tail and "1/2 steps, 10 min 00 s" in tail
    assert "out of memory" in tail


def test_elsewhere_each_change_is_a_line():
    states = [
        run("PENDING"),
        run("RUNNING", [("ingest", "RUNNING")]),
        run("RUNNING", [("ingest", "RUNNING")]),
        run("SUCCEEDED", [("ingest", "SUCCEEDED")], 2),
    ]
    console = Console(file=io.StringIO(), width=120)
    display.follow(states, console)
    lines = console.file.getvalue().splitlines()
    assert lines[:2] == ["▶ ingest  running", "✔ ingest  succeeded"]
    assert lines[-1] == "succeeded  1/1 steps, 2 min 00 s"


def test_names_are_text_and_no_markup():
    assert "[nightly]" in shown(display.run_table([run("SUCCEEDED", minutes=1)]))


def test_a_run_that_the_server_has_not_looked_at_yet():
    assert "pending" in shown(display.run_view(kfp.V2beta1Run(run_id="id")))


@pytest.mark.parametrize(
    ("trigger", "when"),
    [
        (
            kfp.V2beta1Trigger(cron_schedule=kfp.V2beta1CronSchedule(cron="0 0 6 * * *")),
            "0 0 6 * *",
        ),
        (
            kfp.V2beta1Trigger(
                periodic_schedule=kfp.V2beta1PeriodicSchedule(interval_second="7200")
            ),
            "every 120 min 00 s",
        ),
        (None, "mine"),
    ],
)
def test_when_a_schedule_starts(trigger, when):
    schedule = kfp.V2beta1RecurringRun(
        recurring_run_id="id", display_name="mine", trigger=trigger, status="ENABLED"
    )
    assert when in shown(display.schedule_table([schedule]))
