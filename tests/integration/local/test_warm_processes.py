"""Which warm process serves a step, and when the expensive one is started."""

import pytest
from kfp import dsl

from headrace.pipelines.local import runner, warm

core = dsl.component(base_image="headrace/core:1", install_kfp_package=False)
tfx = dsl.component(base_image="headrace/tfx:1", install_kfp_package=False)


@core
def wait(seconds: float) -> str:
    import os
    import sys
    import time

    time.sleep(seconds)
    return f"{os.getppid()} {'colorsys' in sys.modules}"


@tfx
def heavy(after: str) -> str:
    import os
    import sys

    return f"{os.getppid()} {'colorsys' in sys.modules} {os.environ['TF_USE_LEGACY_KERAS']}"


@core
def fresh() -> str:
    import random
    import sys

    return f"{random.random()} {'colorsys' in sys.modules} {sys.flags.utf8_mode}"


@pytest.fixture(autouse=True)
def marked(monkeypatch):
    """The expensive process is told by a module that nothing else loads."""
    modules = (*warm.PRELOAD[warm.CORE], "colorsys", "no_such_module")
    monkeypatch.setitem(warm.PRELOAD, warm.TFX, modules)


@dsl.pipeline(name="mixed")
def mixed(seconds: float = 0.0):
    waited = wait(seconds=seconds).set_caching_options(False)
    heavy(after="constant").after(waited)


def output(run, task):
    return run.tasks[task].outputs.parameters["Output"]


def test_the_image_decides_and_a_module_that_fails_to_load_is_no_matter(execute):
    run = execute(mixed)

    (first, in_core), (second, in_tfx, keras) = (
        output(run, "wait").split(),
        output(run, "heavy").split(),
    )
    assert first != second
    assert (in_core, in_tfx, keras) == ("False", "True", "0")
    assert "no_such_module" in (run.folder / "logs" / "warm-tfx.log").read_text()


def test_the_expensive_process_is_not_started_for_a_run_that_does_not_need_it(execute):
    execute(mixed)
    run = execute(mixed)

    assert [task.state.value for task in run.tasks.values()] == ["succeeded", "cached"]
    assert not (run.folder / "logs" / "warm-tfx.log").exists()


def test_it_is_started_beside_a_step_that_takes_long(execute, monkeypatch):
    monkeypatch.setattr(runner, "_TFX_AFTER_SECONDS", 0.1)
    started = []
    spawn = warm.WarmPool._spawn
    monkeypatch.setattr(
        warm.WarmPool, "_spawn", lambda pool, kind: (started.append(kind), spawn(pool, kind))
    )
    states = {}

    def note(event):
        if event.task:
            states.setdefault((event.task.name, event.task.state.value), list(started))

    execute(mixed, {"seconds": 0.8}, on_event=note)

    assert "tfx" not in states["wait", "running"]
    assert "tfx" in states["wait", "succeeded"]


@dsl.pipeline(name="cold")
def cold():
    fresh().set_env_variable("PYTHONUTF8", "1")
    fresh().set_env_variable("HARMLESS", "1")
    fresh().set_caching_options(False)


def test_what_only_a_new_interpreter_can_heed_gets_one_and_no_step_repeats_anothers_luck(execute):
    run = execute(cold)

    numbers, _, utf8 = zip(*(output(run, name).split() for name in run.tasks), strict=True)
    assert len(set(numbers)) == 3
    assert sorted(utf8) == ["0", "0", "1"]


def test_a_listener_that_fails_does_not_stop_the_run(execute, caplog):
    def fail(event):
        raise RuntimeError("no display")

    assert execute(mixed, on_event=fail).state == "succeeded"
    assert "the listener failed" in caplog.text


def test_a_warm_process_that_cannot_start_fails_the_step_and_nothing_hangs(execute, monkeypatch):
    monkeypatch.setattr(warm, "_ZYGOTE", "headrace.no_such_module")
    run = execute(mixed)

    assert run.state == "failed"
    assert "the warm process `core` died" in run.tasks["wait"].error.message
    assert "no_such_module" in (run.folder / "logs" / "warm-core.log").read_text()
