"""HR501 and HR502: defaults and optional inputs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from kfp.pipeline_spec import pipeline_spec_pb2 as pb

from headrace.pipelines.lint.model import Found, Settings, Severity, Target, rule
from headrace.pipelines.lint.pipeline import Pipeline

_ENUM = pb.ParameterType.ParameterTypeEnum
_KINDS = {
    _ENUM.Value("STRING"): "string_value",
    _ENUM.Value("NUMBER_INTEGER"): "number_value",
    _ENUM.Value("NUMBER_DOUBLE"): "number_value",
    _ENUM.Value("BOOLEAN"): "bool_value",
    _ENUM.Value("LIST"): "list_value",
    _ENUM.Value("STRUCT"): "struct_value",
}
_WORDS = {
    "string_value": "text",
    "number_value": "a number",
    "bool_value": "true or false",
    "list_value": "a list",
    "struct_value": "a mapping",
}


@rule(
    "HR501",
    "default-type",
    Severity.ERROR,
    "A default of another type stops the run in the driver, or reaches the step as it is.",
    only=Target.KUBEFLOW,
)
def default_type(pipeline: Pipeline, settings: Settings) -> Iterator[Found]:
    """Compares the defaults of the pipeline and of its tasks' inputs with their types."""
    scopes = [("", pipeline.spec.root)]
    scopes += [(task.path, task.component) for task in pipeline.tasks if task.component is not None]
    for path, component in scopes:
        for name, definition in sorted(component.input_definitions.parameters.items()):
            wanted = _mismatch(definition)
            if wanted:
                yield Found(
                    path,
                    f"The default of `{name}` is not {wanted}.",
                    "Correct the default in the function's signature.",
                )


@rule(
    "HR502",
    "optional-artifact-cache",
    Severity.WARNING,
    "Vertex AI was seen not to cache steps with an optional artifact (kubeflow/pipelines #11410).",
    only=Target.VERTEX,
)
def optional_artifact(pipeline: Pipeline, settings: Settings) -> Iterator[Found]:
    """Finds cached steps with an optional artifact."""
    for task, executor in pipeline.executors():
        if executor.WhichOneof("spec") != "container" or not task.spec.caching_options.enable_cache:
            continue
        for name, artifact in sorted(task.component.input_definitions.artifacts.items()):
            if artifact.is_optional:
                yield Found(
                    task.path,
                    f"Input artifact `{name}` is optional: the step may run every time.",
                    "Make two components, one with the artifact and one without.",
                )


def _mismatch(definition: Any) -> str | None:
    """What the default should be, if it is something else."""
    kind = definition.default_value.WhichOneof("kind")
    expected = _KINDS.get(definition.parameter_type)
    # The driver turns any value into text where text is wanted; null stands for no default.
    if kind in (None, "null_value") or expected in (None, "string_value"):
        return None
    if kind != expected:
        return _WORDS[expected]
    whole = definition.parameter_type == _ENUM.Value("NUMBER_INTEGER")
    if whole and not definition.default_value.number_value.is_integer():
        return "a whole number"
    return None


RULES = (default_type, optional_artifact)
