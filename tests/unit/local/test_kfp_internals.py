"""Everything the local runner takes from KFP's inside. When one of these fails, KFP has changed."""

import inspect
import json
from pathlib import Path

import pytest
import yaml
from google.protobuf import struct_pb2
from kfp import compiler, dsl
from kfp.dsl import Dataset, Output, executor_main
from kfp.local import (
    executor_input_utils,
    executor_output_utils,
    importer_handler,
    placeholder_utils,
)
from kfp.local import io as local_io
from kfp.local.orchestrator.orchestrator_utils import OrchestratorUtils
from kfp.local.utils import struct_to_executor_spec
from kfp.pipeline_spec import pipeline_spec_pb2

from headrace.pipelines.local import kfp_internals, spec

SIGNATURES = {
    executor_input_utils.construct_executor_input: [
        "component_spec",
        "arguments",
        "task_root",
        "block_input_artifact",
    ],
    executor_input_utils.executor_input_to_dict: ["executor_input", "component_spec"],
    executor_output_utils.load_executor_output: ["executor_output_path"],
    executor_output_utils.get_outputs_from_executor_output: [
        "executor_output",
        "executor_input",
        "component_spec",
    ],
    importer_handler.get_importer_uri: ["importer_spec", "executor_input"],
    local_io.IOStore.__init__: ["self", "parent"],
    local_io.IOStore.put_parent_input: ["self", "key", "value"],
    local_io.IOStore.get_parent_input: ["self", "key"],
    local_io.IOStore.put_task_output: ["self", "task_name", "key", "value"],
    local_io.IOStore.get_task_output: ["self", "task_name", "key"],
    OrchestratorUtils.make_task_arguments: ["task_inputs_spec", "io_store"],
    placeholder_utils.replace_placeholders: [
        "full_command",
        "executor_input_dict",
        "pipeline_resource_name",
        "task_resource_name",
        "pipeline_root",
        "unique_pipeline_id",
    ],
    placeholder_utils.recursively_resolve_json_dict_placeholders: [
        "obj",
        "executor_input_dict",
        "pipeline_resource_name",
        "task_resource_name",
        "pipeline_root",
        "pipeline_job_id",
        "pipeline_task_id",
    ],
    struct_to_executor_spec: ["struct"],
    executor_main.executor_main: [],
}


@dsl.component(base_image="python:3.11", install_kfp_package=False)
def step(number: int, ratio: float, settings: dict, data: Output[Dataset]) -> str:
    return f"{number} {ratio} {settings} {data.path}"


@dsl.component(base_image="python:3.11", packages_to_install=["numpy"])
def installing() -> str:
    return ""


@dsl.container_component
def container(text: str):
    return dsl.ContainerSpec(image="alpine", command=["sh", "-c", "true"], args=[text])


@dsl.pipeline(name="probe")
def probe(number: int = 3):
    step(number=number, ratio=2.0, settings={"a": 1}).set_memory_limit("2G").set_memory_request(
        "512M"
    ).set_retry(2, backoff_duration="3s")
    installing().set_env_variable("A", "b")
    container(text="x")


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory):
    path = tmp_path_factory.mktemp("probe") / "probe.yaml"
    compiler.Compiler().compile(probe, str(path))
    return spec.load(path)


@pytest.fixture
def component(pipeline):
    return pipeline.spec.components["comp-step"]


@pytest.mark.parametrize("function", SIGNATURES, ids=lambda function: function.__qualname__)
def test_signatures_are_those_the_runner_was_written_for(function):
    found = list(inspect.signature(function).parameters)
    assert found == SIGNATURES[function], (
        f"KFP changed {function.__module__}.{function.__qualname__}: it takes {found}. "
        "Adapt pipelines/local/kfp_internals.py, then this table."
    )


def test_nothing_else_in_the_runner_imports_kfp():
    folder = Path(kfp_internals.__file__).parent
    importing = {
        path.name
        for path in folder.glob("*.py")
        for line in path.read_text().splitlines()
        if line.strip().startswith(("import kfp", "from kfp", "from google.protobuf"))
    }
    # The step's own process calls the executor's documented entry point.
    assert importing == {"kfp_internals.py", "child.py"}


def test_the_executor_takes_the_command_line_that_steps_are_started_with():
    source = inspect.getsource(executor_main.executor_main)
    for option in ("--component_module_path", "--function_to_execute", "--executor_input"):
        assert option in source, f"KFP's executor no longer takes {option}"


def test_lightweight_components_are_told_from_those_that_install_and_from_containers(pipeline):
    executors = {name: spec.Executor(value) for name, value in pipeline.executors.items()}

    lightweight = executors["exec-step"]
    assert lightweight.source is not None, "KFP changed the command of lightweight components"
    assert "def step(" in lightweight.source
    assert lightweight.command[4:] == ["--executor_input", "{{$}}", "--function_to_execute", "step"]
    assert executors["exec-installing"].source is None
    assert executors["exec-container"].source is None
    assert executors["exec-installing"].env == {"A": "b"}


def test_resources_and_retries_stand_where_they_are_read(pipeline):
    executor = spec.Executor(pipeline.executors["exec-step"])
    policy = pipeline.root.dag.tasks["step"].retry_policy

    assert (executor.memory_limit, executor.memory_request) == (2 * 10**9, 512 * 10**6)
    assert (policy.max_retry_count, policy.backoff_duration.seconds) == (2, 3)
    assert pipeline.root.dag.tasks["step"].caching_options.enable_cache


def test_an_executor_input_names_outputs_below_the_root_and_keeps_types(component, tmp_path):
    arguments = {"number": 3.0, "ratio": 2.0, "settings": {"whole": 4.0, "none": None}}
    message = kfp_internals.executor_input(component, arguments, tmp_path)
    data = kfp_internals.executor_input_dict(message, component)

    values = data["inputs"]["parameterValues"]
    assert values == {"number": 3, "ratio": 2.0, "settings": {"whole": 4, "none": None}}
    assert [type(values[name]) for name in ("number", "ratio")] == [int, float]
    assert type(values["settings"]["whole"]) is int
    assert data["outputs"]["outputFile"] == str(tmp_path / "executor_output.json")
    (artifact,) = data["outputs"]["artifacts"]["data"]["artifacts"]
    assert artifact["uri"] == str(tmp_path / "data")
    assert artifact["type"]["schemaTitle"] == "system.Dataset"


def test_placeholders_are_replaced(component, tmp_path):
    message = kfp_internals.executor_input(component, {"number": 3}, tmp_path)
    inputs = kfp_internals.executor_input_dict(message, component)
    command = [
        "{{$}}",
        "{{$.inputs.parameters['number']}}",
        "{{$.outputs.artifacts['data'].path}}",
        "{{$.pipeline_job_name}} {{$.pipeline_task_name}}",
    ]
    resolved = kfp_internals.resolve_command(
        command, inputs, pipeline="p", task="t", root="/r", run_id="1"
    )

    assert json.loads(resolved[0])["inputs"]["parameterValues"]["number"] == 3
    assert resolved[1:] == ["3", str(tmp_path / "data"), "p t"]


def test_outputs_are_read_also_where_no_executor_output_was_written(component, tmp_path):
    message = kfp_internals.executor_input(component, {"number": 3}, tmp_path)
    (tmp_path / "Output").write_text("text")

    outputs = kfp_internals.read_outputs(message, component)

    assert outputs["Output"] == "text"
    assert isinstance(outputs["data"], Dataset)
    assert outputs["data"].uri == str(tmp_path / "data")

    written = {"artifacts": {"data": {"artifacts": [{"uri": "x", "metadata": {"rows": 5.0}}]}}}
    (tmp_path / "executor_output.json").write_text(json.dumps(written))
    outputs = kfp_internals.read_outputs(message, component)
    assert (outputs["data"].uri, outputs["data"].metadata) == ("x", {"rows": 5})
    assert type(outputs["data"].metadata["rows"]) is int


def test_values_without_content_are_none():
    assert kfp_internals.value_to_python(struct_pb2.Value()) is None
    assert kfp_internals.value_to_python(struct_pb2.Value(number_value=2.0)) == 2


def test_the_always_trigger_has_its_name(pipeline):
    policy = pipeline_spec_pb2.PipelineTaskSpec.TriggerPolicy
    assert policy.TriggerStrategy.Name(kfp_internals.TRIGGER_ALWAYS) == (
        "ALL_UPSTREAM_TASKS_COMPLETED"
    )


def test_stores_look_outwards_and_say_what_they_lack():
    outer = kfp_internals.IOStore()
    outer.put_parent_input("a", 1)
    inner = kfp_internals.IOStore(parent=outer)

    assert inner.get_parent_input("a") == 1
    with pytest.raises(ValueError):
        inner.get_task_output("none", "x")
    with pytest.raises(ValueError):
        inner.get_parent_input("b")


def test_the_spec_version_is_the_one_that_was_tried(tmp_path):
    path = tmp_path / "probe.yaml"
    compiler.Compiler().compile(probe, str(path))
    document = yaml.safe_load(path.read_text())

    assert document["schemaVersion"] == "2.1.0", "KFP compiles to a new schema: run all tests here"
