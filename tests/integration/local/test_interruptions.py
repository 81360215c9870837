"""What a run leaves behind when it is stopped or killed, and how it is continued."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from kfp import dsl

from headrace.components.shared.errors import ConfigError
from headrace.pipelines.local import runner
from headrace.pipelines.local.home import Home
from tests.support.waiting import eventually

lightweight = dsl.component(base_image="python:3.11", install_kfp_package=False)

RUNNER = """
import json, sys
from pathlib import Path
from headrace.pipelines.local import runner, warm
warm.PRELOAD["core"] = ("kfp.dsl.executor_main", "headrace.components.shared.errors")
path, home, options = sys.argv[1:]
options = json.loads(options)
run = runner.run(Path(path), options.pop("arguments", {}), home=Path(home), **options)
print(run.run_id, run.state)
"""


@lightweight
def count(folder: str, name: str, after: str = "") -> str:
    with open(f"{folder}/{name}", "a") as stream:
        stream.write("x")
    return name


@lightweight
def hang(folder: str, after: str, seconds: float) -> str:
    import os
    import subprocess
    import time

    with open(f"{folder}/hang", "a") as stream:
        stream.write("x")
    if not os.path.exists(f"{folder}/go"):
        subprocess.Popen(["sleep", "60"])
        subprocess.Popen(["sleep", "61"], start_new_session=True)
        time.sleep(seconds)
    return "done"


@dsl.pipeline(name="interrupted")
def interrupted(folder: str, seconds: float = 60.0):
    first = count(folder=folder, name="first").set_caching_options(False)
    hung = hang(folder=folder, after=first.output, seconds=seconds)
    count(folder=folder, name="last", after=hung.output)


@pytest.fixture
def folder(tmp_path):
    path = tmp_path / "counts"
    path.mkdir()
    return path


@pytest.fixture
def start(compiled, home):
    started = []

    def start_run(pipeline, **options):
        process = subprocess.Popen(
            [sys.executable, "-c", RUNNER, compiled(pipeline), home, json.dumps(options)],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        started.append(process)
        return process

    yield start_run
    for process in started:
        process.kill()
        process.communicate()


def descendants(process):
    return psutil.Process(process.pid).children(recursive=True)


def assert_all_gone(processes):
    _, alive = psutil.wait_procs(processes, timeout=5)
    assert alive == []


def counts(folder):
    return {path.name: len(path.read_text()) for path in folder.iterdir() if path.name != "go"}


def states(run):
    return [task.state.value for task in run.tasks.values()]


def test_a_killed_run_leaves_no_process_and_resumes_where_it_stopped(start, home, folder, compiled):
    process = start(interrupted, arguments={"folder": str(folder)})
    eventually((folder / "hang").exists)
    eventually(lambda: [child.name() for child in descendants(process)].count("sleep") == 2)
    family = descendants(process)
    process.send_signal(signal.SIGKILL)
    process.wait()

    # The warm process, the step, and the step's own children.
    assert len(family) == 4
    assert_all_gone(family)
    run = Home(home).find("latest")
    assert (run.state, states(run)) == ("interrupted", ["succeeded", "interrupted", "pending"])
    assert len(list((home / "steps" / ".partial").iterdir())) == 2

    (folder / "go").touch()
    resumed = runner.run(compiled(interrupted), {}, home=home, resume="latest")

    assert (resumed.run_id, resumed.state) == (run.run_id, "succeeded")
    assert states(resumed) == ["cached", "succeeded", "succeeded"]
    assert counts(folder) == {"first": 1, "hang": 2, "last": 1}
    assert list((home / "steps" / ".partial").iterdir()) == []


def test_a_run_killed_at_any_moment_resumes_to_the_same_result(start, home, folder, compiled):
    (folder / "go").touch()
    for delay in (0.05, 0.2, 0.35, 0.5):
        known = set(Home(home).run_ids())
        process = start(interrupted, arguments={"folder": str(folder)}, cache=False)
        eventually(lambda known=known: set(Home(home).run_ids()) - known)
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        process.wait()
        (run_id,) = set(Home(home).run_ids()) - known

        for path in (home / "steps").glob("[!.]*/*"):
            assert json.loads((path / "outputs.json").read_text())["key"].startswith(path.name)
        if Home(home).find(run_id).state != "succeeded":
            before = counts(folder)
            done = states(Home(home).find(run_id)).count("succeeded")
            run = runner.run(compiled(interrupted), {}, home=home, resume=run_id)
            assert run.state == "succeeded"
            assert states(run).count("cached") >= done
            assert sum(counts(folder).values()) - sum(before.values()) <= 3 - done


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_run_ends_its_steps_and_says_interrupted(start, home, folder, number):
    process = start(interrupted, arguments={"folder": str(folder)})
    eventually((folder / "hang").exists)
    family = descendants(process)
    started = time.monotonic()
    process.send_signal(number)
    output, _ = process.communicate(timeout=10)

    assert time.monotonic() - started < 5
    assert process.returncode == 0
    assert output.split()[1] == "interrupted"
    assert_all_gone(family)
    run = Home(home).find("latest")
    assert (run.state, states(run)) == ("interrupted", ["succeeded", "interrupted", "pending"])


def test_a_dead_warm_process_fails_its_steps_and_a_retry_gets_a_new_one(start, home, folder):
    process = start(
        interrupted, arguments={"folder": str(folder), "seconds": 60.0}, project="flights"
    )
    eventually((folder / "hang").exists)
    (warm,) = psutil.Process(process.pid).children()
    eventually(lambda: [child.name() for child in descendants(process)].count("sleep") == 2)
    family = warm.children(recursive=True)
    steps = [child for child in family if child.name() != "sleep"]
    warm.kill()
    output, _ = process.communicate(timeout=10)

    assert output.split()[1] == "failed"
    run = Home(home).find("latest")
    assert run.project == "flights"
    assert "the warm process `core` died" in run.tasks["hang"].error.message
    assert_all_gone(steps)
    for child in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            child.kill()


def test_what_a_step_leaves_running_ends_with_the_step(start, home, folder):
    process = start(interrupted, arguments={"folder": str(folder), "seconds": 0.5})
    eventually((folder / "hang").exists)
    eventually(lambda: [child.name() for child in descendants(process)].count("sleep") == 2)
    family = descendants(process)
    output, _ = process.communicate(timeout=10)

    assert output.split()[1] == "succeeded"
    assert_all_gone(family)


def test_two_runs_in_one_home_leave_each_other_alone(start, home, folder, compiled):
    process = start(interrupted, arguments={"folder": str(folder), "seconds": 3.0})
    eventually((folder / "hang").exists)
    partial = {path.name for path in (home / "steps" / ".partial").iterdir()}
    other = folder / "other"
    other.mkdir()
    (other / "go").touch()

    run = runner.run(compiled(interrupted), {"folder": str(other)}, home=home)

    assert run.state == "succeeded"
    assert partial <= {path.name for path in (home / "steps" / ".partial").iterdir()}
    first = Home(home).read(Home(home).run_ids()[1])
    assert first.state == "running"
    with pytest.raises(ConfigError, match="still going on"):
        runner.run(compiled(interrupted), {}, home=home, resume=first.run_id)
    output, _ = process.communicate(timeout=10)
    assert output.split() == [first.run_id, "succeeded"]


def test_only_what_can_be_resumed_is(execute, folder):
    (folder / "go").touch()
    run = execute(interrupted, {"folder": str(folder)})

    with pytest.raises(ConfigError, match="has succeeded"):
        execute(interrupted, resume="latest")
    with pytest.raises(ConfigError, match="No run starts with `2099`"):
        execute(interrupted, resume="2099")
    assert re.fullmatch(r"\d{8}-\d{6}-[0-9a-f]{6}", run.run_id)


@lightweight
def leave_behind() -> int:
    import subprocess

    return subprocess.Popen(["sleep", "60"], start_new_session=True).pid


@dsl.pipeline(name="leaving")
def leaving(folder: str):
    hang(folder=folder, after="", seconds=1.0)
    leave_behind()


def test_what_ended_steps_left_in_other_sessions_ends_with_them_alone(execute, folder):
    run = execute(leaving, {"folder": str(folder)})

    assert run.state == "succeeded"
    assert not psutil.pid_exists(run.tasks["leave-behind"].outputs.parameters["Output"])


@lightweight
def fail_unless(path: str) -> str:
    import os

    if not os.path.exists(path):
        raise OSError("not there")
    return path


@lightweight
def told(status: dsl.PipelineTaskFinalStatus, folder: str):
    with open(f"{folder}/told", "a") as stream:
        stream.write("x")


@dsl.pipeline(name="failing")
def failing(folder: str, path: str):
    with dsl.ExitHandler(told(folder=folder)):
        first = count(folder=folder, name="first").set_caching_options(False)
        fail_unless(path=path).after(first)


def test_a_failed_run_resumes_with_its_arguments_and_tells_the_exit_handler_again(execute, folder):
    path = folder / "go"
    failed = execute(failing, {"folder": str(folder), "path": str(path)})
    assert failed.state == "failed"
    with pytest.raises(ConfigError, match="another value of `path`"):
        execute(failing, {"path": "other"}, resume="latest")

    path.touch()
    resumed = execute(failing, resume=failed.run_id[:-2])

    assert (resumed.run_id, resumed.state, resumed.resumed) == (failed.run_id, "succeeded", 1)
    assert resumed.error is None
    assert counts(folder) == {"first": 1, "told": 2}


def test_leftovers_of_dead_runs_alone_are_removed(execute, home, folder):
    (folder / "go").touch()
    partial = home / "steps" / ".partial"
    dead = partial / "20200101-000000-aaaaaa-step"
    dead.mkdir(parents=True)
    alive_home = Home(home)
    alive_home.prepare()
    alive = partial / "20200101-000000-bbbbbb-step"
    alive.mkdir()

    with alive_home.owned("20200101-000000-bbbbbb"):
        execute(interrupted, {"folder": str(folder)})

    assert list(partial.iterdir()) == [alive]
    assert os.path.isdir(alive)


def test_the_record_is_complete(execute, home, folder):
    (folder / "go").touch()
    run = execute(interrupted, {"folder": str(folder)}, project="flights")

    data = json.loads((home / "runs" / run.run_id / "run.json").read_text())
    assert data["arguments"] == {"folder": str(folder), "seconds": 60.0}
    assert (data["pipeline"], data["project"], data["state"]) == (
        "interrupted",
        "flights",
        "succeeded",
    )
    assert {"headrace", "kfp"} <= set(data["versions"])
    task = data["tasks"]["hang"]
    assert task["upstream"] == ["count"]
    assert task["seconds"] > 0
    assert task["cpu_seconds"] > 0
    assert task["peak_memory_mb"] > 5
    assert task["outputs"]["parameters"] == {"Output": "done"}
    assert Path(task["log"]).is_file()
    assert (home / "runs" / run.run_id / "pipeline.yaml").is_file()
