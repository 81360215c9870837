# KFP reads these annotations from the source: they must stay as they are written.
# ruff: noqa: B006, UP006, UP035, UP045
import json
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional

from kfp import dsl, local
from kfp.dsl import Dataset, Input, Metrics, Model, Output

lightweight = dsl.component(base_image="python:3.11", install_kfp_package=False)


@lightweight
def write(count: int, data: Output[Dataset]) -> int:
    with open(data.path, "w") as stream:
        stream.write("x" * count)
    data.metadata["count"] = count
    data.metadata["label"] = "rows"
    return count


@lightweight
def measure(data: Input[Dataset], metrics: Output[Metrics]) -> NamedTuple(
    "Out", size=int, text=str
):
    import os

    metrics.log_metric("size", os.path.getsize(data.path))
    return os.path.getsize(data.path), f"{data.metadata['label']}: {int(data.metadata['count'])}"


@lightweight
def folder(model: Output[Model]):
    import os

    os.makedirs(os.path.join(model.path, "variables"))
    with open(os.path.join(model.path, "variables", "index"), "w") as stream:
        stream.write("1")
    model.metadata["where"] = model.path


@lightweight
def list_folder(model: Input[Model]) -> str:
    import os

    return f"{os.listdir(model.path)} {model.metadata['where'] == model.path}"


@lightweight
def echo(text: str) -> str:
    return text


@lightweight
def dump(
    number: float, whole: int, flag: bool, items: List[int], settings: Dict[str, Optional[str]]
) -> str:
    import json

    return json.dumps([number, whole, flag, items, settings], sort_keys=True)


@lightweight
def optional(number: Optional[int] = None, text: str = "default") -> str:
    return f"{number} {text}"


@lightweight
def environment() -> str:
    import os

    return f"{os.environ.get('GREETING')} {os.environ.get('OMP_NUM_THREADS')}"


@dsl.container_component
def shell(text: str, copy: Output[Dataset], length: dsl.OutputPath(int)):
    return dsl.ContainerSpec(
        image="alpine",
        command=["sh", "-c", 'printf "%s" "$0" > "$1"; printf "%s" "${#0}" > "$2"'],
        args=[text, copy.path, length],
    )


@dsl.container_component
def interpreter(program: str):
    return dsl.ContainerSpec(image="alpine", command=["python3", "-c"], args=[program])


@dsl.pipeline(name="inner")
def inner(text: str = "inner default") -> str:
    return echo(text=text).output


@dsl.pipeline(name="flow")
def flow(count: int = 3):
    written = write(count=count)
    measured = measure(data=written.outputs["data"])
    echo(text=f"{measured.outputs['text']} of {written.outputs['Output']}").set_display_name("said")
    list_folder(model=folder().outputs["model"])
    inner(text=measured.outputs["text"])
    inner()


def test_parameters_artifacts_metadata_and_nested_pipelines_flow(execute):
    run = execute(flow, {"count": 5})

    assert run.state == "succeeded"
    outputs = {name: task.outputs for name, task in run.tasks.items()}
    assert outputs["measure"].parameters == {"size": 5, "text": "rows: 5"}
    assert outputs["measure"].artifacts["metrics"].metadata == {"size": 5.0}
    assert outputs["echo"].parameters["Output"] == "rows: 5 of 5"
    assert outputs["inner.echo"].parameters["Output"] == "rows: 5"
    assert outputs["inner-2.echo"].parameters["Output"] == "inner default"
    assert run.tasks["measure"].upstream == ["write"]
    assert run.tasks["inner.echo"].upstream == ["measure"]


def test_finished_artifacts_lie_in_a_final_folder_that_their_paths_name(execute, home):
    run = execute(flow)

    data = run.tasks["write"].outputs.artifacts["data"]
    assert Path(data.uri).read_text() == "xxx"
    assert Path(data.uri).parent.parent == home / "steps" / "write"
    assert len(Path(data.uri).parent.name) == 16
    written = json.loads((Path(data.uri).parent / "executor_output.json").read_text())
    assert written["artifacts"]["data"]["artifacts"][0]["uri"] == data.uri
    assert run.tasks["list-folder"].outputs.parameters["Output"] == "['variables'] True"
    assert list((home / "steps" / ".partial").iterdir()) == []


@dsl.pipeline(name="types")
def types(
    number: float = 2.5,
    whole: int = 2,
    flag: bool = True,
    items: List[int] = [1, 2],
    settings: Dict[str, Optional[str]] = {"a": "b"},
    maybe: Optional[int] = None,
):
    dump(number=number, whole=whole, flag=flag, items=items, settings=settings)
    optional(number=maybe)
    environment().set_env_variable("GREETING", "hello").set_env_variable("OMP_NUM_THREADS", "3")


def test_values_keep_their_types_also_null_and_whole_numbers_in_lists(execute):
    settings = {"quote": 'it\'s "fine"\n', "none": None}
    run = execute(types, {"settings": settings, "items": [3, 4]})

    dumped = json.loads(run.tasks["dump"].outputs.parameters["Output"])
    assert dumped == [2.5, 2, True, [3, 4], settings]
    assert all(type(item) is int for item in dumped[3])
    assert run.tasks["optional"].outputs.parameters["Output"] == "None default"


def test_container_environment_reaches_the_step_also_what_libraries_read_at_start(execute):
    run = execute(types)

    assert run.tasks["environment"].outputs.parameters["Output"] == "hello 3"


@dsl.pipeline(name="containers")
def containers(text: str = "three words long"):
    shelled = shell(text=text)
    echo(text=f"length {shelled.outputs['length']}")
    interpreter(program="import sys; print(sys.executable)")


def test_container_components_run_as_plain_commands(execute):
    run = execute(containers)

    assert run.state == "succeeded"
    outputs = run.tasks["shell"].outputs
    assert outputs.parameters == {"length": 16}
    assert Path(outputs.artifacts["copy"].uri).read_text() == "three words long"
    assert run.tasks["echo"].outputs.parameters["Output"] == "length 16"
    assert Path(run.tasks["interpreter"].log).read_text().strip().endswith("python")


class Compared(NamedTuple):
    size: int
    text: str
    said: str


@dsl.pipeline(name="compared")
def compared(count: int = 3) -> Compared:
    written = write(count=count)
    measured = measure(data=written.outputs["data"])
    with dsl.If(measured.outputs["size"] > 2):
        big = echo(text="big")
    with dsl.Else():
        small = echo(text="small")
    said = echo(text=dsl.OneOf(big.output, small.output))
    return Compared(measured.outputs["size"], measured.outputs["text"], said.output)


def test_results_equal_those_of_kfps_own_local_runner(execute, tmp_path):
    ours = [execute(compared, {"count": count}).outputs for count in (2, 4)]

    local.init(local.SubprocessRunner(use_venv=False), pipeline_root=str(tmp_path / "stock"))
    stock = [compared(count=count).outputs for count in (2, 4)]

    assert ours == stock
    assert ours[1] == {"size": 4, "text": "rows: 4", "said": "big"}
