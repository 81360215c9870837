"""Pipelines kept on a server, in versions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import kfp_server_api  # type: ignore[import-untyped]
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2

from headrace.pipelines.cluster import lookup
from headrace.pipelines.cluster.client import Cluster
from headrace.pipelines.cluster.errors import ClusterError
from headrace.pipelines.cluster.package import Package


@dataclass(frozen=True)
class Uploaded:
    """A version on the server.

    Attributes:
        pipeline_id: The pipeline.
        version_id: The version.
        version: The version's name.
        new: False when the server had it.
    """

    pipeline_id: str
    version_id: str
    version: str
    new: bool


def upload(cluster: Cluster, name: str, package: Package, version: str | None = None) -> Uploaded:
    """Makes a pipeline, or a new version of it; nothing when the server has the same content.

    Args:
        cluster: The server.
        name: The pipeline's name.
        package: The compiled pipeline.
        version: The version's name; a hash of the content when left out.

    Raises:
        ClusterError: the version exists with other content, or the server refused or failed.
    """
    label = version or package.fingerprint
    pipeline = _pipeline(cluster, name)
    existing = _version(cluster, pipeline.pipeline_id, label)
    if existing is None:
        return _new_version(cluster, pipeline.pipeline_id, label, package)
    if not is_same(existing.pipeline_spec, package):
        raise ClusterError(
            f"Pipeline {name!r} has a version {label!r} with other content on {cluster.url}.",
            fix="Choose another --version, or leave it out: then it is a hash of the content.",
            status=409,
        )
    return Uploaded(pipeline.pipeline_id, existing.pipeline_version_id, label, new=False)


def is_same(stored: Any, package: Package) -> bool:
    """Whether a server has the same pipeline; it writes numbers in another way."""
    stored = stored or {}
    # Servers nest it when there are settings for the platform too.
    spec, platform = stored.get("pipeline_spec", stored), stored.get("platform_spec", {})
    return bool(_parsed(spec, platform) == _parsed(package.spec, package.platform))


def _parsed(spec: Any, platform: Any) -> tuple[Any, Any]:
    messages = pipeline_spec_pb2.PipelineSpec(), pipeline_spec_pb2.PlatformSpec()
    for document, message in zip((spec, platform), messages, strict=True):
        json_format.ParseDict(document, message, ignore_unknown_fields=True)
    return messages


def _pipeline(cluster: Cluster, name: str) -> Any:
    namespace = cluster.namespace or None
    listed = cluster.client.list_pipelines(filter=lookup.named(name), namespace=namespace)
    found = lookup.exact(listed.pipelines, name)
    if found:
        return found[0]
    pipeline = kfp_server_api.V2beta1Pipeline(display_name=name, namespace=namespace)
    return cluster.client.pipelines.pipeline_service_create_pipeline(pipeline=pipeline)


def _version(cluster: Cluster, pipeline_id: str, label: str) -> Any:
    listed = cluster.client.list_pipeline_versions(pipeline_id, filter=lookup.named(label))
    return next(iter(lookup.exact(listed.pipeline_versions, label)), None)


def _new_version(cluster: Cluster, pipeline_id: str, label: str, package: Package) -> Uploaded:
    with package.file() as file, cluster.quiet() as client:
        version = client.upload_pipeline_version(str(file), label, pipeline_id=pipeline_id)
    return Uploaded(pipeline_id, version.pipeline_version_id, label, new=True)
