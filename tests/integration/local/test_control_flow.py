# KFP reads these annotations from the source: they must stay as they are written.
# ruff: noqa: B006
from pathlib import Path

import pytest
from kfp import dsl
from kfp.dsl import Input, Model, Output

lightweight = dsl.component(base_image="python:3.11", install_kfp_package=False)


@lightweight
def echo(text: str) -> str:
    return text


@lightweight
def number(value: int) -> int:
    return value


@lightweight
def fail() -> str:
    raise RuntimeError("broken on purpose")


@lightweight
def train(size: int, model: Output[Model]) -> int:
    with open(model.path, "w") as stream:
        stream.write(str(size))
    model.metadata["size"] = size
    return size * 10


@lightweight
def use(model: Input[Model]) -> str:
    with open(model.path) as stream:
        return stream.read()


@lightweight
def gather(models: Input[list[Model]], scores: list[int]) -> str:
    sizes = [int(model.metadata["size"]) for model in models or []]
    return f"{sizes} {scores}"


@lightweight
def notify(status: dsl.PipelineTaskFinalStatus, target: str) -> str:
    return f"{target}: {status.state} {status.error_message or ''}"


def states(run):
    return {name: task.state.value for name, task in run.tasks.items()}


def output(run, task):
    return run.tasks[task].outputs.parameters["Output"]


@dsl.pipeline(name="branches")
def branches(value: float = 0.5, word: str = "heads"):
    with dsl.If(value > 0.8):
        first = train(size=1)
    with dsl.Elif(word != "a && b"):
        second = train(size=2)
    with dsl.Else():
        third = train(size=3)
    use(model=dsl.OneOf(first.outputs["model"], second.outputs["model"], third.outputs["model"]))
    with dsl.If(number(value=7).output == 7):
        echo(text="equal")
    with dsl.If(word == "never"):
        inside = echo(text="not run")
        echo(text=inside.output)


@pytest.mark.parametrize(
    ("arguments", "size"),
    [
        ({"value": 0.9}, "1"),
        ({"value": 0.5}, "2"),
        ({"value": 1, "word": "a && b"}, "1"),
        ({"value": 0.8, "word": "a && b"}, "3"),
        ({"word": "x' || 'y' == 'y"}, "2"),
    ],
)
def test_one_branch_runs_and_one_of_takes_its_artifact(execute, arguments, size):
    run = execute(branches, arguments)

    assert run.state == "succeeded"
    assert output(run, "use") == size
    trained = [states(run)[name] for name in ("train", "train-2", "train-3")]
    assert sorted(trained) == ["skipped", "skipped", "succeeded"]
    assert states(run)["echo"] == "succeeded"
    assert states(run)["echo-2"] == states(run)["echo-3"] == "skipped"
    assert "condition is false" in run.tasks["echo-2"].reason
    assert run.tasks["echo"].upstream == ["number"]


@dsl.pipeline(name="loops")
def loops(sizes: list[int] = [1, 2, 3]):
    with dsl.ParallelFor(sizes, parallelism=2) as size:
        trained = train(size=size)
        with dsl.If(trained.outputs["Output"] > 10):
            echo(text=f"large {size}")
    gather(
        models=dsl.Collected(trained.outputs["model"]),
        scores=dsl.Collected(trained.outputs["Output"]),
    )


def test_loops_collect_in_order(execute):
    run = execute(loops, {"sizes": [5, 1, 2]})

    assert output(run, "gather") == "[5, 1, 2] [50, 10, 20]"
    assert output(run, "echo.0") == "large 5"
    assert states(run)["echo.1"] == "skipped"
    assert {task.group for task in run.tasks.values()} == {"train", "echo", "gather"}
    assert run.tasks["gather"].upstream == ["train"]


def test_an_empty_loop_collects_nothing(execute):
    run = execute(loops, {"sizes": []})

    assert run.state == "succeeded"
    assert states(run) == {"gather": "succeeded"}
    assert output(run, "gather") == "[] []"


@dsl.pipeline(name="nested-loops")
def nested_loops():
    with dsl.ParallelFor([1, 2]), dsl.ParallelFor([{"a": 3, "b": 4}, {"a": 5, "b": 6}]) as item:
        trained = train(size=item.a)
        number(value=item.b)
    gather(models=dsl.Collected(trained.outputs["model"]), scores=[])


def test_nested_loops_give_one_flat_list_of_artifacts(execute):
    run = execute(nested_loops)

    assert output(run, "gather") == "[3, 5, 3, 5] []"
    assert output(run, "number.1.0") == 4


@dsl.pipeline(name="exits")
def exits(broken: bool = False):
    with dsl.ExitHandler(notify(target="me"), name="work"):
        echo(text="independent")
        with dsl.If(broken == True):  # noqa: E712
            failed = fail()
            dependent = echo(text=failed.output)
            echo(text="anyway").after(dependent).ignore_upstream_failure()


def test_the_exit_handler_is_told_of_success(execute):
    run = execute(exits)

    assert run.state == "succeeded"
    assert output(run, "notify") == "me: SUCCEEDED "


def test_the_exit_handler_runs_after_a_failure_and_is_told_why(execute):
    run = execute(exits, {"broken": True})

    assert run.state == "failed"
    assert states(run) == {
        "echo": "succeeded",
        "fail": "failed",
        "echo-2": "skipped",
        "echo-3": "succeeded",
        "notify": "succeeded",
    }
    assert output(run, "notify").startswith("me: FAILED Step `fail` failed: RuntimeError: broken")
    assert run.tasks["echo-2"].reason == "fail did not succeed"


@dsl.pipeline(name="imports")
def imports(path: str):
    imported = dsl.importer(artifact_uri=path, artifact_class=Model, metadata={"from": path})
    use(model=imported.output)


def test_importers_give_an_artifact(execute, tmp_path):
    source = tmp_path / "model.txt"
    source.write_text("imported")

    run = execute(imports, {"path": str(source)})

    assert output(run, "use") == "imported"
    artifact = run.tasks["importer"].outputs.artifacts["artifact"]
    assert (artifact.uri, artifact.type) == (str(source), "system.Model")
    assert artifact.metadata == {"from": str(source)}


@dsl.pipeline(name="independent")
def independent():
    failed = fail()
    echo(text=failed.output)
    echo(text="other").set_display_name("other")


def test_steps_that_do_not_depend_on_a_failed_one_still_run(execute):
    run = execute(independent)

    assert states(run) == {"fail": "failed", "echo": "skipped", "echo-2": "succeeded"}
    assert Path(run.tasks["fail"].log).read_text().count("RuntimeError: broken on purpose") == 1
