"""HR301 to HR308: what tasks ask for that Kubeflow's backend does not do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from headrace.pipelines.lint.model import Found, Settings, Severity, Target, rule
from headrace.pipelines.lint.pipeline import Pipeline

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_STORES = frozenset({"gs", "s3", "minio"})
_IMAGE_SCHEME = "oci"


@rule(
    "HR301",
    "resolver",
    Severity.ERROR,
    "Resolver nodes, which TFX writes, are not implemented: the server refuses the run.",
    only=Target.KUBEFLOW,
)
def resolver(pipeline: Pipeline, settings: Settings) -> Iterator[Found]:
    """Finds tasks that ask the metadata store for artifacts."""
    for task, executor in pipeline.executors():
        if executor.WhichOneof("spec") == "resolver":
            yield Found(
                task.path,
                "The task is a resolver.",
                "Write a step that finds the artifact, or import it with dsl.importer().",
            )


@rule(
    "HR302",
    "custom-job",
    Severity.ERROR,
    "Custom jobs exist on Google Cloud only: the server refuses the run.",
    only=Target.KUBEFLOW,
)
def custom_job(pipeline: Pipeline, settings: Settings) -> Iterator[Found]:
    """Finds Vertex AI's custom jobs."""
    for task, executor in pipeline.executors():
        if executor.WhichOneof("spec") == "custom_job":
            message = "The task is a custom job of Vertex AI."
            yield Found(task.path, message, "Use a container component.")


@rule(
    "HR303",
    "lifecycle-hook",
    Severity.WARNING,
    "lifecycle.preCacheCheck, in which TFX puts its drivers, is ignored.",
    only=Target.KUBEFLOW,
)
def lifecycle(pipeline: Pipeline, settings: Settings) -> Iterator[Found]:
    """Finds containers with a hook."""
    for step in pipeline.steps:
        if step.container.HasField("lifecycle"):
            yield Found(
                step.task.path,
                "The container's `lifecycle.preCacheCheck` never runs.",
                "Do its work in the step itself.",
            )


@rule(
    "HR304",
    "custom-cache-key",
    Severity.WARNING,
    "Up to 2.17.0 the backend computes its own key, whatever the task says.",
    only=Target.KUBEFLOW,
    until=(2, 17, 0),
)
def cache_key(pipeline: Pipeline, settings: Settings) -> Iterator[Found]:
    """Finds tasks with a key of their own."""
    for task in pipeline.tasks:
        key = task.spec.caching_options.cache_key
        if key:
            yield Found(
                task.path,
                f"The cache key `{key}` is ignored.",
                "Add an input to the step that changes when it must run again.",
            )


@rule(
    "HR305",
    "artifact-iterator",
    Severity.ERROR,
    "Loops over artifacts are not implemented: the server refuses the run.",
    only=Target.KUBEFLOW,
)
def artifact_iterator(pipeline: Pipeline, settings: Settings) -> Iterator[Found]:
    """Finds loops over a list of artifacts."""
    for task in pipeline.tasks:
        if task.spec.HasField("artifact_iterator"):
            yield Found(
                task.path,
                "The task loops over artifacts.",
                "Loop over parameters, such as the artifacts' URIs.",
            )


@rule(
    "HR306",
    "importer-condition",
    Severity.ERROR,
    "A condition directly on an importer is not supported: the server refuses the run.",
    only=Target.KUBEFLOW,
)
def importer_condition(pipeline: Pipeline, settings: Settings) -> Iterator[Found]:
    """Finds importers with a condition of their own."""
    for task, executor in pipeline.executors():
        is_importer = executor.WhichOneof("spec") == "importer"
        if is_importer and task.spec.trigger_policy.condition:
            message = "The importer has a condition of its own."
            yield Found(task.path, message, "Put the importer into a dsl.If group.")


@rule(
    "HR307",
    "runtime-parameter",
    Severity.ERROR,
    "Of a task input's values the driver implements `runtimeValue.constant` alone.",
    only=Target.KUBEFLOW,
)
def runtime_parameter(pipeline: Pipeline, settings: Settings) -> Iterator[Found]:
    """Finds inputs in the form of schema 2.0.0."""
    for task in pipeline.tasks:
        for name, given in sorted(task.spec.inputs.parameters.items()):
            kind = given.runtime_value.WhichOneof("value")
            if given.HasField("runtime_value") and kind != "constant":
                yield Found(
                    task.path,
                    f"Input `{name}` has a `{kind or 'empty'}` value, which fails when it starts.",
                    "Compile the pipeline with KFP's SDK 2.0 or newer.",
                )


@rule(
    "HR308",
    "uri-scheme",
    Severity.ERROR,
    "Artifacts live on gs://, s3:// and minio://; from oci:// only models can be imported.",
    only=Target.KUBEFLOW,
)
def uri_scheme(pipeline: Pipeline, settings: Settings) -> Iterator[Found]:
    """Compares the pipeline's root and importers' URIs with what the launcher opens."""
    root = pipeline.spec.default_pipeline_root
    if root and _scheme(root) not in _STORES:
        message = f"The pipeline root `{root}` is on no store that the backend opens."
        yield Found("", message, "Use a root on gs://, s3:// or minio://.")
    for task, executor in pipeline.executors():
        uri = executor.importer.artifact_uri.constant.string_value
        problem = _import_problem(uri, executor.importer) if uri else None
        if problem:
            fix = "Copy the artifact to gs://, s3:// or minio:// and import it from there."
            yield Found(task.path, f"The importer reads `{uri}`: {problem}.", fix)


def _scheme(uri: str) -> str:
    match = _SCHEME.match(uri)
    return match[1] if match else ""


def _import_problem(uri: str, importer: Any) -> str | None:
    scheme = _scheme(uri)
    if scheme in _STORES:
        return None
    if scheme != _IMAGE_SCHEME:
        return "the backend opens no such store"
    if importer.download_to_workspace:
        return "an image cannot be downloaded to the workspace"
    title = importer.type_schema.schema_title
    return None if title == "system.Model" else f"of oci:// only models can be read, not {title}"


RULES = (
    resolver,
    custom_job,
    lifecycle,
    cache_key,
    artifact_iterator,
    importer_condition,
    runtime_parameter,
    uri_scheme,
)
