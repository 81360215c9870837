"""HR005 to HR012: is the file what a server parses, and does it hang together?"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from kfp.pipeline_spec import pipeline_spec_pb2 as pb

from headrace.pipelines.lint import schema
from headrace.pipelines.lint.model import (
    Found,
    Settings,
    Severity,
    Target,
    Version,
    rule,
    show_version,
)
from headrace.pipelines.lint.pipeline import Pipeline

_SCHEMA = "2.1.0"
#: Fields that came after 2.3, with the first release whose strict parser knows them.
_SINCE: dict[str, Version] = {
    "ComponentSpec.single_platform_specs": (2, 4, 0),
    "PipelineTaskSpec.CachingOptions.cache_key": (2, 4, 0),
    "ComponentSpec.task_config_passthroughs": (2, 15, 0),
    "ComponentInputsSpec.ParameterSpec.literals": (2, 16, 0),
}
#: The first release whose parser knows this type of input.
_TASK_CONFIG: Version = (2, 15, 0)
_SIZE_WARNING = 512_000


@rule(
    "HR005",
    "job-wrapper",
    Severity.ERROR,
    "Kubeflow's server looks for the pipeline at the top of the document, not inside a job.",
    only=Target.KUBEFLOW,
)
def job_wrapper(pipeline: Pipeline, settings: Settings) -> Iterator[Found]:
    """Finds the job that TFX and the first KFP 2 compilers wrapped pipelines in."""
    if pipeline.wrapped:
        yield Found(
            "",
            "The pipeline is inside `pipelineSpec` of a job, the format of Vertex AI.",
            "Compile it with KFP's SDK 2; TFX's KubeflowV2DagRunner writes for Vertex AI only.",
        )


@rule(
    "HR006",
    "schema-version",
    Severity.ERROR,
    "Kubeflow's server takes schema version 2.1.0 and no other.",
    only=Target.KUBEFLOW,
)
def schema_version(pipeline: Pipeline, settings: Settings) -> Iterator[Found]:
    """Compares the version that the file states."""
    found = pipeline.spec.schema_version
    if found != _SCHEMA:
        yield Found(
            "",
            f"The schema version is {found or 'not set'}; only {_SCHEMA} is taken.",
            "Compile the pipeline with KFP's SDK 2.0 or newer.",
        )


@rule(
    "HR007",
    "unknown-field",
    Severity.ERROR,
    "The server's parser is strict: one unknown field, and the whole file is no pipeline to it.",
    only=Target.KUBEFLOW,
)
def unknown_field(pipeline: Pipeline, settings: Settings) -> Iterator[Found]:
    """Compares the document with the PipelineSpec message."""
    for field in schema.fields(pipeline.document, pb.PipelineSpec.DESCRIPTOR):
        if not field.known:
            yield Found(
                "",
                f"`{field.path}` is no field of a pipeline: the server refuses the file.",
                "Remove it, or correct the name.",
            )


@rule(
    "HR008",
    "ignored-field",
    Severity.WARNING,
    "In deploymentSpec the server drops what it does not know, and says nothing.",
    only=Target.KUBEFLOW,
)
def ignored_field(pipeline: Pipeline, settings: Settings) -> Iterator[Found]:
    """Compares ``deploymentSpec`` with its message."""
    document = pipeline.document.get("deploymentSpec", {})
    for field in schema.fields(document, pb.PipelineDeploymentConfig.DESCRIPTOR):
        if not field.known and not field.path.endswith("@type"):
            yield Found(
                "",
                f"`deploymentSpec.{field.path}` is no field that a server knows: it is ignored.",
                "Remove it, or correct the name.",
            )


@rule(
    "HR009",
    "field-too-new",
    Severity.ERROR,
    "An older server refuses a file with a field that came later.",
    only=Target.KUBEFLOW,
)
def field_too_new(pipeline: Pipeline, settings: Settings) -> Iterator[Found]:
    """Compares fields in use with the releases that brought them."""
    used = [
        (f"`{field.path}`", _SINCE[field.name])
        for field in schema.fields(pipeline.document, pb.PipelineSpec.DESCRIPTOR)
        if field.name in _SINCE
    ]
    used += [(f"Type TASK_CONFIG of input `{name}`", _TASK_CONFIG) for name in _configs(pipeline)]
    for what, since in used:
        if settings.backend < since:
            yield Found(
                "",
                f"{what} needs backend {show_version(since)}; "
                f"{show_version(settings.backend)} refuses the file.",
                "Upgrade the backend, or do without it.",
            )


def _configs(pipeline: Pipeline) -> Iterator[str]:
    kind = pb.ParameterType.ParameterTypeEnum.Value("TASK_CONFIG")
    for component in pipeline.spec.components.values():
        for name, definition in component.input_definitions.parameters.items():
            if definition.parameter_type == kind:
                yield name


@rule("HR010", "malformed", Severity.ERROR, "A value of the wrong kind cannot be parsed.")
def malformed(pipeline: Pipeline, settings: Settings) -> Iterator[Found]:
    """Passes on what the messages' parser refused."""
    for error in pipeline.errors:
        yield Found("", f"A value does not parse: {error}.", "Compile the pipeline again.")
    for document in pipeline.extras:
        if not isinstance(document, Mapping):
            kind = type(document).__name__
            yield Found("", f"A document of the file is a {kind}, not a mapping.", "Remove it.")


@rule(
    "HR011",
    "dangling-reference",
    Severity.ERROR,
    "The server compiles the file to an Argo workflow and stops at a name that leads nowhere.",
)
def dangling_reference(pipeline: Pipeline, settings: Settings) -> Iterator[Found]:
    """Follows references to components, executors and tasks."""
    fix = "Compile the pipeline again instead of editing the file."
    for task in pipeline.tasks:
        reference = task.spec.component_ref.name
        label = task.component.executor_label if task.component is not None else ""
        if task.component is None:
            yield Found(task.path, f"There is no component `{reference}`.", fix)
        if label and label not in pipeline.deployment.executors:
            yield Found(task.path, f"There is no executor `{label}`.", fix)
        for upstream in task.upstream():
            if upstream not in task.siblings:
                yield Found(task.path, f"There is no task `{upstream}` beside this one.", fix)


@rule(
    "HR012",
    "large-spec",
    Severity.WARNING,
    "The whole file goes into one Argo workflow, an object of which Kubernetes stores about 1 MB.",
    only=Target.KUBEFLOW,
)
def large_spec(pipeline: Pipeline, settings: Settings) -> Iterator[Found]:
    """Measures the pipeline as JSON, and names the largest step."""
    # Dates are the only YAML values that JSON lacks.
    size = len(json.dumps(pipeline.document, default=str).encode())
    if size <= _SIZE_WARNING:
        return
    sizes = {step.task.path: sum(map(len, step.words)) for step in pipeline.steps}
    largest = max(sizes, key=lambda path: sizes[path], default="")
    detail = f"; `{largest}` alone has {sizes[largest] / 1000:.0f} kB of command" if largest else ""
    yield Found(
        "",
        f"The pipeline has {size / 1000:.0f} kB, and a workflow may have about 1 MB{detail}.",
        "Put code into the image instead of the command, and data into artifacts.",
    )


RULES = (
    job_wrapper,
    schema_version,
    unknown_field,
    ignored_field,
    field_too_new,
    malformed,
    dangling_reference,
    large_spec,
)
