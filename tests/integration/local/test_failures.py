import errno
import re
import time
from pathlib import Path

import pytest
from kfp import dsl

from headrace.components.shared.errors import ConfigError, StorageError
from headrace.pipelines.local import records, runner
from headrace.pipelines.local.store import StepStore

lightweight = dsl.component(base_image="python:3.11", install_kfp_package=False)


@lightweight
def flaky(counter: str, needed: int) -> int:
    with open(counter, "a") as stream:
        stream.write("x")
    with open(counter) as stream:
        count = len(stream.read())
    if count < needed:
        raise OSError(f"not yet: {count}")
    return count


@lightweight
def refuse(counter: str, kind: str):
    from headrace.components.shared import errors

    with open(counter, "a") as stream:
        stream.write("x")
    raise getattr(errors, kind)("Column `late` is empty.", fix="Fill it.")


@lightweight
def end_by_signal(number: int):
    import os

    print("about to end")
    os.kill(os.getpid(), number)


@lightweight
def leave(code: int):
    import sys

    print("last words")
    sys.exit(code)


@lightweight
def allocate(megabytes: int):
    import time

    block = bytearray(megabytes * 1_000_000)
    time.sleep(20)
    print(len(block))


@lightweight
def wait(seconds: float) -> float:
    import time

    started = time.time()
    time.sleep(seconds)
    return started


@lightweight
def wrong_type() -> int:
    return "text"


@dsl.container_component
def unreadable(value: dsl.OutputPath(int)):
    return dsl.ContainerSpec(image="alpine", command=["sh", "-c", 'echo word > "$0"'], args=[value])


@lightweight
def not_a_number(metrics: dsl.Output[dsl.Metrics]):
    metrics.log_metric("auc", float("nan"))


@dsl.container_component
def missing_program():
    return dsl.ContainerSpec(image="alpine", command=["no-such-program"])


@dsl.pipeline(name="retries")
def retries(counter: str, needed: int = 3):
    flaky(counter=counter, needed=needed).set_retry(3, backoff_duration="0s", backoff_factor=1.0)


def test_a_failing_step_is_tried_again(execute, tmp_path):
    run = execute(retries, {"counter": str(tmp_path / "count")})

    task = run.tasks["flaky"]
    assert (run.state, task.attempts, task.outputs.parameters["Output"]) == ("succeeded", 3, 3)
    log = Path(task.log).read_text()
    assert "not yet: 1" in log
    assert "--- attempt 3 ---" in log


def test_retries_end(execute, tmp_path):
    run = execute(retries, {"counter": str(tmp_path / "count"), "needed": 9})

    task = run.tasks["flaky"]
    assert (run.state, task.attempts) == ("failed", 4)
    assert task.error.type == "StepError"
    assert task.error.message == "Step `flaky` failed: OSError: not yet: 4"
    assert task.error.log == task.log


@dsl.pipeline(name="refuses")
def refuses(counter: str, kind: str):
    refuse(counter=counter, kind=kind).set_retry(2, backoff_duration="0s")


@pytest.mark.parametrize(
    ("kind", "attempts"),
    [("DataError", 1), ("GateError", 1), ("ConfigError", 1), ("StorageError", 3)],
)
def test_our_own_errors_are_shown_as_they_are_and_final_ones_not_tried_again(
    execute, tmp_path, kind, attempts
):
    counter = tmp_path / "count"
    run = execute(refuses, {"counter": str(counter), "kind": kind})

    error = run.tasks["refuse"].error
    assert (error.type, error.message, error.fix) == (kind, "Column `late` is empty.", "Fill it.")
    assert len(counter.read_text()) == attempts
    assert run.error == error


@dsl.pipeline(name="signals")
def signals(number: int):
    end_by_signal(number=number)


@pytest.mark.parametrize(
    ("number", "words"),
    [(9, ["SIGKILL", "out of memory", "peak was", "has no limit"]), (11, ["SIGSEGV"])],
)
def test_an_end_by_signal_is_named(execute, number, words):
    run = execute(signals, {"number": number})

    assert "about to end" in Path(run.tasks["end-by-signal"].log).read_text()
    message = run.tasks["end-by-signal"].error.message
    assert all(word in message for word in ["Step `end-by-signal` was ended by", *words]), message


@dsl.pipeline(name="codes")
def codes(code: int):
    leave(code=code)


def test_an_exit_code_is_told_with_the_last_line_of_the_log(execute):
    run = execute(codes, {"code": 3})

    assert run.tasks["leave"].error.message.endswith("ended with exit code 3: last words")
    assert execute(codes, {"code": 0}).state == "succeeded"


@dsl.pipeline(name="greedy")
def greedy(megabytes: int):
    allocate(megabytes=megabytes).set_memory_limit("200M")


def test_a_step_above_its_memory_limit_is_ended(execute):
    started = time.monotonic()
    run = execute(greedy, {"megabytes": 400})

    error = run.tasks["allocate"].error
    assert time.monotonic() - started < 10
    assert "its limit is 200 MB" in error.message
    assert re.search(r"platform\.steps.*set_memory_limit\('\d+M'\)", error.fix)
    assert run.tasks["allocate"].peak_memory_mb > 200


@dsl.pipeline(name="outputs")
def outputs():
    wrong_type()
    unreadable()
    not_a_number()
    missing_program()


def test_unusable_outputs_and_commands_fail_the_step(execute):
    run = execute(outputs)

    messages = {name: task.error.message for name, task in run.tasks.items()}
    assert "want type <class 'int'>" in messages["wrong-type"]
    assert "wrote an output that cannot be read" in messages["unreadable"]
    assert "NaN" in messages["not-a-number"]
    assert "no-such-program" in messages["missing-program"]


@dsl.pipeline(name="pair")
def pair(first: float = 0.6, second: float = 0.6):
    wait(seconds=first)
    wait(seconds=second)


@dsl.pipeline(name="alone")
def alone():
    wait(seconds=0.2)
    wait(seconds=0.3).set_memory_request("100000G")


def test_independent_steps_overlap(execute, monkeypatch):
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    run = execute(pair)

    first, second = run.tasks.values()
    assert max(first.started, second.started) < min(first.ended, second.ended)


def test_a_step_that_needs_all_memory_runs_alone(execute, monkeypatch):
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    run = execute(alone)

    first, second = run.tasks.values()
    assert max(first.started, second.started) >= min(first.ended, second.ended)


@pytest.mark.parametrize(
    ("arguments", "message", "fix"),
    [
        ({"frist": 1.0}, "no parameter `frist`", "`first`"),
        ({"first": "soon"}, "expects a number, got 'soon'", "number"),
        ({"first": True}, "expects a number, got True", "number"),
    ],
)
def test_wrong_arguments_are_refused(execute, arguments, message, fix):
    with pytest.raises(ConfigError) as caught:
        execute(pair, arguments)

    assert message in caught.value.message
    assert fix in caught.value.fix


def test_a_missing_argument_is_named(execute):
    with pytest.raises(ConfigError, match="needs a value for parameter `number`"):
        execute(signals)


@pytest.mark.parametrize("text", ["a: 1", "- 1", "", ":\n:", "root: 3\nnothing: x"])
def test_what_is_no_pipeline_is_refused(tmp_path, text):
    path = tmp_path / "file.yaml"
    path.write_text(text)

    with pytest.raises(ConfigError, match="is not a compiled pipeline"):
        runner.run(path, {}, home=tmp_path / "home")

    with pytest.raises(ConfigError, match="no compiled pipeline at"):
        runner.run(tmp_path / "none.yaml", {}, home=tmp_path / "home")


@pytest.mark.parametrize("failing", [5, 1])
def test_a_full_disk_fails_the_run_and_nothing_hangs(execute, monkeypatch, failing):
    written = records.write_record
    calls = []

    def write(run):
        calls.append(run.state)
        if len(calls) >= failing:
            raise StorageError("The record of the run cannot be written: full.", fix="Free space.")
        written(run)

    monkeypatch.setattr(records, "write_record", write)
    with pytest.raises(StorageError, match="cannot be written"):
        execute(pair, {"first": 0.1, "second": 0.1})


def test_results_that_cannot_be_kept_fail_the_step(execute, monkeypatch):
    def refuse_all(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(StepStore, "add", refuse_all)
    run = execute(pair, {"first": 0.0, "second": 0.0})

    assert run.state == "failed"
    error = run.tasks["wait"].error
    assert "cannot be kept" in error.message
    assert "No space left" in error.message
    assert "Free space" in error.fix
