"""Every use of KFP's private modules, so that a new KFP release can break one file only.

``tests/unit/local/test_kfp_internals.py`` checks the names, signatures and behaviours used here.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeAlias

from google.protobuf import json_format
from kfp import dsl
from kfp.dsl import component_factory
from kfp.dsl import executor as dsl_executor
from kfp.local import (
    executor_input_utils,
    executor_output_utils,
    importer_handler,
    placeholder_utils,
)
from kfp.local import io as local_io
from kfp.local.orchestrator.orchestrator_utils import OrchestratorUtils
from kfp.local.utils import struct_to_executor_spec
from kfp.pipeline_spec import pipeline_spec_pb2 as pb

Artifact: TypeAlias = dsl.Artifact
IOStore: TypeAlias = local_io.IOStore
#: A component's outputs, or a task's arguments: parameter values, artifacts, lists of artifacts.
Values = dict[str, Any]

EXECUTOR_MODULE: str = component_factory.EXECUTOR_MODULE
TRIGGER_ALWAYS: int = pb.PipelineTaskSpec.TriggerPolicy.ALL_UPSTREAM_TASKS_COMPLETED
PARAMETER_TYPE: Any = pb.ParameterType


def parse_pipeline_spec(document: Mapping[str, Any]) -> Any:
    """The PipelineSpec message of a parsed YAML document.

    Raises:
        ValueError: The document is no PipelineSpec.
    """
    try:
        return json_format.ParseDict(document, pb.PipelineSpec())
    except json_format.ParseError as error:
        raise ValueError(str(error)) from error


def executor_specs(spec: Any) -> dict[str, Any]:
    """Executor label to its ExecutorSpec."""
    executors = spec.deployment_spec["executors"] if spec.deployment_spec.fields else {}
    return {name: struct_to_executor_spec(executor) for name, executor in executors.items()}


def value_to_python(value: Any) -> Any:
    """A protobuf Value as JSON data; whole numbers become ints, as KFP's backend sends them."""
    if value.WhichOneof("kind") is None:
        return None
    return _whole_numbers(json_format.MessageToDict(value))


def task_arguments(inputs: Any, store: IOStore) -> Values:
    """The values of a task's inputs, taken from the DAG's store."""
    return dict(OrchestratorUtils.make_task_arguments(task_inputs_spec=inputs, io_store=store))


def executor_input(component: Any, arguments: Values, root: Path) -> Any:
    """The ExecutorInput message of a task whose outputs go below ``root``."""
    artifacts = {
        name: value
        for name, value in arguments.items()
        if name in component.input_definitions.artifacts and value is not None
    }
    message = executor_input_utils.construct_executor_input(
        component_spec=component,
        arguments=artifacts,
        task_root=str(root),
        block_input_artifact=False,
    )
    for name, value in arguments.items():
        if name in component.input_definitions.artifacts:
            continue
        # KFP's own conversion refuses null inside a dict or list.
        json_format.ParseDict(value, message.inputs.parameter_values[name])
    for name, value in list(message.inputs.parameter_values.items()):
        if value.WhichOneof("kind") is None:
            del message.inputs.parameter_values[name]
    return message


def executor_input_dict(message: Any, component: Any) -> dict[str, Any]:
    """The ExecutorInput as the step gets it, with numbers as KFP's backend writes them.

    Protobuf knows no ints: 5 is 5.0 also inside lists and texts, unless turned back here.
    """
    data: dict[str, Any] = executor_input_utils.executor_input_to_dict(
        executor_input=message, component_spec=component
    )
    values = data.get("inputs", {}).get("parameterValues", {})
    declared = component.input_definitions.parameters
    for name, value in values.items():
        is_double = (
            name in declared and declared[name].parameter_type == PARAMETER_TYPE.NUMBER_DOUBLE
        )
        values[name] = value if is_double else _whole_numbers(value)
    for entry in data.get("inputs", {}).get("artifacts", {}).values():
        for artifact in entry.get("artifacts", []):
            artifact["metadata"] = _whole_numbers(artifact.get("metadata", {}))
    return data


def _whole_numbers(value: Any) -> Any:
    if isinstance(value, list):
        return [_whole_numbers(item) for item in value]
    if isinstance(value, dict):
        return {key: _whole_numbers(item) for key, item in value.items()}
    return int(value) if isinstance(value, float) and value.is_integer() else value


def resolve_command(
    command: list[str],
    inputs: dict[str, Any],
    *,
    pipeline: str,
    task: str,
    root: str,
    run_id: str,
) -> list[str]:
    """The command with every placeholder replaced."""
    return list(
        placeholder_utils.replace_placeholders(
            full_command=command,
            executor_input_dict=inputs,
            pipeline_resource_name=pipeline,
            task_resource_name=task,
            pipeline_root=root,
            unique_pipeline_id=run_id,
        )
    )


def read_outputs(message: Any, component: Any) -> Values:
    """A finished task's outputs.

    Like KFP's launcher, and unlike ``kfp.local``, this registers an output artifact also when the
    step wrote no executor_output.json, as plain containers do.

    Raises:
        ValueError: An output is not what its type says, or not JSON.
    """
    try:
        return _read_outputs(message, component)
    except json_format.Error as error:
        raise ValueError(str(error)) from error


def _read_outputs(message: Any, component: Any) -> Values:
    written = executor_output_utils.load_executor_output(message.outputs.output_file)
    for name, artifacts in message.outputs.artifacts.items():
        if name not in written.artifacts:
            written.artifacts[name].CopyFrom(artifacts)
    for name in [key for key in written.artifacts if key not in message.outputs.artifacts]:
        del written.artifacts[name]
    outputs: Values = executor_output_utils.get_outputs_from_executor_output(
        executor_output=written, executor_input=message, component_spec=component
    )
    for value in outputs.values():
        if is_artifact(value):
            value.metadata = _whole_numbers(value.metadata)
    return outputs


def is_artifact(value: Any) -> bool:
    """Whether an output is an artifact rather than a parameter value."""
    return isinstance(value, dsl.Artifact)


def make_artifact(*, name: str, uri: str, type_name: str, metadata: dict[str, Any]) -> Artifact:
    """A ``dsl`` artifact of the class that belongs to the schema title."""
    artifact: Artifact = dsl_executor.create_artifact_instance(
        {"name": name, "uri": uri, "metadata": metadata, "type": {"schemaTitle": type_name}}
    )
    return artifact


def run_importer(
    importer: Any, component: Any, arguments: Values, *, pipeline: str, task: str, run_id: str
) -> Values:
    """The artifact of a ``dsl.importer`` task."""
    message = executor_input(component, arguments, Path(task))
    inputs = executor_input_dict(message, component)
    metadata = placeholder_utils.recursively_resolve_json_dict_placeholders(
        json_format.MessageToDict(importer.metadata),
        executor_input_dict=inputs,
        pipeline_resource_name=pipeline,
        task_resource_name=task,
        pipeline_root="",
        pipeline_job_id=run_id,
        pipeline_task_id=task,
    )
    uri = importer_handler.get_importer_uri(importer_spec=importer, executor_input=message)
    artifact = make_artifact(
        name="artifact",
        uri=uri,
        type_name=importer.type_schema.schema_title,
        metadata=metadata,
    )
    return {"artifact": artifact}
