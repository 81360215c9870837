import io

import pytest
from rich.console import Console

from headrace.pipelines.local import display
from headrace.pipelines.local.records import Event, State


@pytest.fixture
def console():
    return Console(file=io.StringIO(), width=110, force_terminal=False)


def printed(console):
    return console.file.getvalue()


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0123, "12 ms"), (1.24, "1.2 s"), (99.94, "99.9 s"), (125, "2 min 05 s")],
)
def test_durations(seconds, text):
    assert display.duration(seconds) == text


@pytest.mark.parametrize(("amount", "text"), [(0, ""), (512.3, "512 MB"), (2048, "2.0 GB")])
def test_memory(amount, text):
    assert display.memory(amount) == text


def test_without_a_terminal_each_change_is_one_line(console, make_run, make_task):
    progress = display.Progress(console)
    run = make_run(make_task("a", State.RUNNING), state=State.RUNNING)
    with progress.shown():
        progress(Event("run_started", run))
        progress(Event("task", run, run.tasks["a"]))
        progress(Event("task", run, run.tasks["a"]))
        progress(Event("message", run, text="a: attempt 1 failed"))
        run.tasks["a"].state = State.SUCCEEDED
        progress(Event("task", run, run.tasks["a"]))

    assert printed(console).splitlines() == [
        "Running training  20260102-030405-abcdef",
        "▶ a  running",
        "a: attempt 1 failed",
        "✔ a  0 ms",
    ]


def test_on_a_terminal_running_steps_are_shown_live(make_run, make_task):
    console = Console(file=io.StringIO(), width=80, force_terminal=True)
    progress = display.Progress(console)
    run = make_run(make_task("train", State.RUNNING), make_task("push", State.PENDING))
    with progress.shown():
        progress(Event("run_started", run))
        progress(Event("task", run, run.tasks["train"]))
    shown = console.file.getvalue()

    assert "train" in shown
    assert "0/2 steps" in shown
    assert "1 waiting" in shown


def test_the_closing_table_and_errors(console, example):
    display.show(example, console)
    text = printed(console)

    for part in (
        "ingest",
        "cached",
        "not blessed: AUC",
        "60.0 s",
        "failed in 75.0 s, 1 of 7 steps cached, peak memory 2.3 GB",
        "✘ gate: AUC <b>0.61</b> is below 0.70.",
        "Improve the model.",
        "gate.log",
        "Continue with --resume 20260102-030405-abcdef",
    ):
        assert part in text, part
    assert "Traceback" not in text


def test_commands_without_resume_say_what_goes_on_instead(console, example):
    display.show(example, console, again="the same command")

    assert "Continue with the same command" in printed(console)
    assert "--resume" not in printed(console)


def test_a_run_that_succeeded_needs_no_advice(console, make_run, make_task):
    display.show(make_run(make_task("a")), console)

    assert "resume" not in printed(console)


def test_an_interrupted_run_says_so(console, make_run, make_task):
    run = make_run(make_task("a", State.INTERRUPTED), state=State.INTERRUPTED)
    display.show(run, console)

    assert "interrupted" in printed(console)
    assert "--resume" in printed(console)
