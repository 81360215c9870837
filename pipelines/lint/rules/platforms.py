"""HR601 to HR604: the second document, with settings for Kubernetes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

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

_OLD: Version = (2, 0, 0)


class _Span(NamedTuple):
    """The releases that know a field; the last is None while it is still there."""

    first: Version
    last: Version | None = None


_DOCUMENT = {"platforms": _Span(_OLD)}
_PLATFORM = {
    "deploymentSpec": _Span(_OLD),
    "platform": _Span((2, 4, 0)),
    "config": _Span((2, 4, 0)),
    "pipelineConfig": _Span((2, 4, 0)),
}
_CONFIG = {
    "resourceTtl": _Span((2, 5, 0), (2, 16, 999)),
    "semaphoreKey": _Span((2, 5, 0), (2, 14, 999)),
    "mutexName": _Span((2, 5, 0), (2, 14, 999)),
    "workspace": _Span((2, 14, 0)),
    "resourceTtlOnCompletion": _Span((2, 17, 0)),
    "resourceTtlOnSuccess": _Span((2, 17, 0)),
    "resourceTtlOnFailure": _Span((2, 17, 0)),
    "activeDeadlineSeconds": _Span((2, 17, 0)),
}
_EXECUTOR = {
    "secretAsVolume": _Span(_OLD),
    "secretAsEnv": _Span(_OLD),
    "pvcMount": _Span(_OLD),
    "nodeSelector": _Span(_OLD),
    "podMetadata": _Span((2, 1, 0)),
    "imagePullSecret": _Span((2, 1, 0)),
    "imagePullPolicy": _Span((2, 1, 0)),
    "configMapAsVolume": _Span((2, 1, 0)),
    "configMapAsEnv": _Span((2, 1, 0)),
    "activeDeadlineSeconds": _Span((2, 1, 0)),
    "fieldPathAsEnv": _Span((2, 1, 0)),
    "tolerations": _Span((2, 1, 0)),
    "genericEphemeralVolume": _Span((2, 2, 0)),
    "nodeAffinity": _Span((2, 2, 0)),
    "podAffinity": _Span((2, 2, 0)),
    "enabledSharedMemory": _Span((2, 3, 0)),
    "emptyDirMounts": _Span((2, 3, 0)),
    "securityContext": _Span((2, 16, 0)),
}


@rule(
    "HR601",
    "second-document",
    Severity.ERROR,
    "Vertex AI's SDK loads one YAML document: a file with two is refused.",
    only=Target.VERTEX,
)
def second_document(pipeline: Pipeline, settings: Settings) -> Iterator[Found]:
    """Finds anything beside the pipeline."""
    if pipeline.platforms or pipeline.extras:
        yield Found(
            "",
            "The file holds a second document.",
            "Compile without settings of kfp.kubernetes; Vertex AI has no use for them.",
        )


@rule(
    "HR602",
    "platform-field",
    Severity.ERROR,
    "The server parses the second document strictly: it refuses or drops the whole of it.",
    only=Target.KUBEFLOW,
)
def platform_field(pipeline: Pipeline, settings: Settings) -> Iterator[Found]:
    """Compares fields with those that the backend of this version knows."""
    for document in pipeline.platforms:
        for path, key, known in _fields(document):
            span = known.get(_camel(key))
            problem = _problem(span, settings.backend)
            if problem:
                yield Found("", f"`{path}` {problem[0]}.", problem[1])


@rule(
    "HR603",
    "unused-platform-executor",
    Severity.WARNING,
    "Settings for Kubernetes belong to an executor by its name; others are ignored.",
    only=Target.KUBEFLOW,
)
def unused_executor(pipeline: Pipeline, settings: Settings) -> Iterator[Found]:
    """Finds settings of executors that the pipeline does not have."""
    for document in pipeline.platforms:
        for name in sorted(_executors(document)):
            if name not in pipeline.deployment.executors:
                message = f"The second document has settings for `{name}`, which does not exist."
                yield Found("", message, "Compile the pipeline again; do not rename executors.")


@rule(
    "HR604",
    "ignored-document",
    Severity.WARNING,
    "A document that is neither a pipeline nor settings for Kubernetes is dropped in silence.",
    only=Target.KUBEFLOW,
)
def ignored_document(pipeline: Pipeline, settings: Settings) -> Iterator[Found]:
    """Finds documents for other platforms, or for nothing known."""
    others = [d for d in pipeline.platforms if "kubernetes" not in _mapping(d.get("platforms"))]
    unknown = [document for document in pipeline.extras if isinstance(document, Mapping)]
    for _ in [*others, *unknown]:
        message = "The file holds a document that the server ignores."
        yield Found("", message, "Remove it.")


def _fields(document: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, _Span]]]:
    """Path, name and the table to look it up in."""
    platform = _mapping(_mapping(document.get("platforms")).get("kubernetes"))
    config = _mapping(platform.get("pipelineConfig", platform.get("pipeline_config")))
    where = "platforms.kubernetes"
    yield from ((key, key, _DOCUMENT) for key in document)
    yield from ((f"{where}.{key}", key, _PLATFORM) for key in platform)
    yield from ((f"{where}.pipelineConfig.{key}", key, _CONFIG) for key in config)
    for name, executor in sorted(_executors(document).items()):
        for key in _mapping(executor):
            yield f"{where}.deploymentSpec.executors.{name}.{key}", key, _EXECUTOR


def _executors(document: Mapping[str, Any]) -> Mapping[str, Any]:
    platform = _mapping(_mapping(document.get("platforms")).get("kubernetes"))
    deployment = _mapping(platform.get("deploymentSpec", platform.get("deployment_spec")))
    return _mapping(deployment.get("executors"))


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _camel(key: str) -> str:
    return re.sub(r"_([a-z])", lambda match: match[1].upper(), str(key))


def _problem(span: _Span | None, backend: Version) -> tuple[str, str] | None:
    if span is None:
        return "is no field that a server knows", "Remove it, or correct the name."
    if backend < span.first:
        fix = "Upgrade the backend, or do without this field."
        return f"needs backend {show_version(span.first)}", fix
    if span.last is not None and backend > span.last:
        line = show_version((*span.last[:2], 0))
        return f"is known up to backend {line} only", "Use the field that replaced it."
    return None


RULES = (second_document, platform_field, unused_executor, ignored_document)
