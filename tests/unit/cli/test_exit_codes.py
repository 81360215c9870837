import pytest

from headrace.cli.run import ExitCode, _exit_code
from headrace.pipelines.local.records import State


@pytest.mark.parametrize(
    ("run_state", "pusher_state", "expected"),
    [
        (State.SUCCEEDED, State.SUCCEEDED, ExitCode.PUSHED),
        (State.SUCCEEDED, State.CACHED, ExitCode.PUSHED),
        (State.SUCCEEDED, State.SKIPPED, ExitCode.NOT_PROMOTED),
        (State.SUCCEEDED, None, ExitCode.NOT_PROMOTED),
        (State.FAILED, State.SKIPPED, ExitCode.FAILED),
        # Pushed, but a later step failed: the run failed.
        (State.FAILED, State.SUCCEEDED, ExitCode.FAILED),
        (State.INTERRUPTED, State.PENDING, ExitCode.INTERRUPTED),
        (State.INTERRUPTED, State.SUCCEEDED, ExitCode.INTERRUPTED),
    ],
)
def test_exit_code(make_run, make_task, run_state, pusher_state, expected):
    tasks = [make_task("pusher", pusher_state)] if pusher_state else []
    assert _exit_code(make_run(*tasks, state=run_state)) is expected


def test_numbers_that_scripts_rely_on():
    assert {code.name: int(code) for code in ExitCode} == {
        "PUSHED": 0,
        "FAILED": 1,
        "NOT_PROMOTED": 3,
        "INTERRUPTED": 130,
    }
