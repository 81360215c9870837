import json
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from kfp import dsl
from kfp.dsl import Dataset, Input, Output

import headrace
from headrace.pipelines.local import runner

lightweight = dsl.component(base_image="python:3.11", install_kfp_package=False)


@lightweight
def produce(source: str, data: Output[Dataset]) -> str:
    with open(source) as stream:
        text = stream.read()
    with open(data.path, "w") as stream:
        stream.write(text.strip())
    data.metadata["path"] = data.path
    return text


@lightweight
def consume(data: Input[Dataset], factor: int, result: Output[Dataset]) -> int:
    with open(data.path) as stream:
        value = int(stream.read()) * factor
    with open(result.path, "w") as stream:
        stream.write(str(value))
    return value


@lightweight
def last(result: Input[Dataset]) -> str:
    with open(result.path) as stream:
        return stream.read()


@lightweight
def publish(target: str, pushed: Output[Dataset]):
    with open(target, "a") as stream:
        stream.write("x")
    pushed.metadata["external_path"] = target


@lightweight
def slow_random(seconds: float, number: Output[Dataset]):
    import random
    import time

    time.sleep(seconds)
    with open(number.path, "w") as stream:
        stream.write(str(random.random()))


@lightweight
def read_project_code() -> int:
    try:
        from headrace.probe.work import answer
    except ImportError:
        return 0
    return answer()


@dsl.pipeline(name="chain")
def chain(source: str, factor: int = 2):
    produced = produce(source=source).set_caching_options(False)
    consumed = consume(data=produced.outputs["data"], factor=factor)
    last(result=consumed.outputs["result"])


def states(run):
    return [task.state.value for task in run.tasks.values()]


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "source.txt"
    path.write_text("5")
    return path


def test_an_uncached_step_with_the_same_content_stops_the_work_there(execute, source):
    arguments = {"source": str(source)}
    assert states(execute(chain, arguments)) == ["succeeded"] * 3

    assert states(execute(chain, arguments)) == ["succeeded", "cached", "cached"]

    # Other bytes in a parameter, but the artifact's content stays.
    source.write_text("5\n")
    assert states(execute(chain, arguments)) == ["succeeded", "cached", "cached"]

    source.write_text("6")
    run = execute(chain, arguments)
    assert states(run) == ["succeeded"] * 3
    assert run.tasks["last"].outputs.parameters["Output"] == "12"


def test_a_changed_parameter_runs_what_reads_it_and_what_follows(execute, source):
    arguments = {"source": str(source)}
    execute(chain, arguments)

    assert states(execute(chain, {**arguments, "factor": 3})) == ["succeeded"] * 3
    assert states(execute(chain, {**arguments, "factor": 2})) == ["succeeded", "cached", "cached"]


def test_caching_can_be_turned_off_for_a_run(execute, source):
    arguments = {"source": str(source)}
    execute(chain, arguments)

    assert states(execute(chain, arguments, cache=False)) == ["succeeded"] * 3


def test_a_cached_step_keeps_its_outputs_and_points_to_the_log_of_its_execution(execute, source):
    first = execute(chain, {"source": str(source)})
    second = execute(chain, {"source": str(source)})

    before, after = first.tasks["consume"], second.tasks["consume"]
    assert after.outputs == before.outputs
    assert after.cache_key == before.cache_key
    assert after.log == before.log
    assert (after.seconds, after.attempts) == (0.0, 0)


@dsl.pipeline(name="publishing")
def publishing(target: str):
    publish(target=target)


def test_a_result_outside_the_home_counts_only_while_it_is_there(execute, tmp_path):
    target = tmp_path / "published"
    arguments = {"target": str(target)}
    assert states(execute(publishing, arguments)) == ["succeeded"]
    assert states(execute(publishing, arguments)) == ["cached"]

    target.unlink()

    assert states(execute(publishing, arguments)) == ["succeeded"]
    assert states(execute(publishing, arguments)) == ["cached"]
    assert target.read_text() == "x"


def test_a_damaged_finished_step_is_made_again(execute, source):
    arguments = {"source": str(source)}
    first = execute(chain, arguments)
    Path(first.tasks["consume"].outputs.artifacts["result"].uri).unlink()

    again = execute(chain, arguments)
    assert states(again) == ["succeeded", "succeeded", "cached"]
    assert Path(again.tasks["consume"].outputs.artifacts["result"].uri).read_text() == "10"

    folder = Path(again.tasks["last"].folder)
    (folder / "outputs.json").write_text("{half")
    assert states(execute(chain, arguments)) == ["succeeded", "cached", "succeeded"]
    assert json.loads((folder / "outputs.json").read_text())["outputs"]


@dsl.pipeline(name="race")
def race(seconds: float = 0.6):
    slow_random(seconds=seconds)


def test_two_runs_with_the_same_key_agree_on_the_first_result(compiled, home):
    path = compiled(race)
    with ThreadPoolExecutor(2) as pool:
        runs = list(pool.map(lambda _: runner.run(path, {}, home=home), range(2)))

    artifacts = [run.tasks["slow-random"].outputs.artifacts["number"] for run in runs]
    assert [states(run) for run in runs] == [["succeeded"], ["succeeded"]]
    assert artifacts[0] == artifacts[1]
    assert len(list((home / "steps" / "slow-random").iterdir())) == 1
    assert list((home / "steps" / ".partial").iterdir()) == []


@dsl.pipeline(name="coded")
def coded():
    read_project_code()


@pytest.fixture
def probe(monkeypatch, tmp_path):
    """A package of the suite's own, for as long as the test runs."""
    folder = tmp_path / "package" / "probe"
    folder.mkdir(parents=True)
    (folder / "work.py").write_text("from headrace.probe.deeper import more\n")
    (folder / "deeper").mkdir()
    (folder / "deeper" / "__init__.py").write_text("")
    (folder / "deeper" / "more.py").write_text("ANSWER = 1\n")
    monkeypatch.setattr(headrace, "__path__", [*headrace.__path__, str(folder.parent)])
    yield folder
    for name in [name for name in sys.modules if name.startswith("headrace.probe")]:
        del sys.modules[name]


@pytest.mark.parametrize("name", ["work.py", "deeper/more.py"])
def test_changed_code_of_the_suite_runs_the_step_again(execute, probe, name):
    assert states(execute(coded)) == ["succeeded"]
    assert states(execute(coded)) == ["cached"]

    (probe / name).write_text("ANSWER = 22\n")

    assert states(execute(coded)) == ["succeeded"]


@dsl.pipeline(name="named")
def named():
    from_job = dsl.PIPELINE_JOB_NAME_PLACEHOLDER
    produce(source=from_job)


def test_what_depends_on_the_run_itself_is_never_taken_from_another(execute):
    first, second = execute(named), execute(named)

    assert [task.state.value for run in (first, second) for task in run.tasks.values()] == [
        "failed",
        "failed",
    ]
    assert first.run_id in first.tasks["produce"].error.message
    assert second.run_id in second.tasks["produce"].error.message


@lightweight
def link(text: str) -> str:
    return text + "x"


@dsl.pipeline(name="long")
def long():
    text = "x"
    for number in range(20):
        task = link(text=text)
        if number > 16:
            task.set_caching_options(False)
        text = task.output


def test_a_cached_run_takes_moments(execute, monkeypatch):
    monkeypatch.undo()
    execute(long)
    started = time.monotonic()
    run = execute(long)

    assert states(run) == ["cached"] * 17 + ["succeeded"] * 3
    assert time.monotonic() - started < 4
