"""The parts of others' custom resources that Headrace uses, as strict models.

Written after the definitions of KServe 0.16 and newer, Argo CD 3 and the Prometheus Operator; a
field that is not here is refused, so that a wrong name cannot slip in.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Metadata(Strict):
    name: str
    namespace: str | None = None
    labels: dict[str, str] = {}
    annotations: dict[str, str] = {}


class Selector(Strict):
    matchLabels: dict[str, str]


class Endpoint(Strict):
    port: str
    path: str
    interval: str


class ServiceMonitorSpec(Strict):
    selector: Selector
    endpoints: list[Endpoint] = Field(min_length=1)


class Rule(Strict):
    alert: str
    expr: str
    for_: str = Field(alias="for")
    labels: dict[str, str]
    annotations: dict[str, str]


class RuleGroup(Strict):
    name: str
    rules: list[Rule]


class PrometheusRuleSpec(Strict):
    groups: list[RuleGroup]


class ModelFormat(Strict):
    name: str
    version: str


class KServeModel(Strict):
    modelFormat: ModelFormat
    runtime: str
    runtimeVersion: str
    protocolVersion: Literal["v1", "v2", "grpc-v1", "grpc-v2"]
    storageUri: str
    resources: dict[Literal["requests", "limits"], dict[str, str]]


class Predictor(Strict):
    minReplicas: int
    maxReplicas: int
    scaleMetric: Literal["cpu", "memory", "concurrency", "rps"]
    scaleTarget: int
    timeout: int
    model: KServeModel


class InferenceServiceSpec(Strict):
    predictor: Predictor


class GroupKind(Strict):
    group: str
    kind: str


class Destination(Strict):
    server: str
    namespace: str


class AppProjectSpec(Strict):
    description: str
    sourceRepos: list[str]
    destinations: list[Destination]
    clusterResourceWhitelist: list[GroupKind]
    namespaceResourceBlacklist: list[GroupKind]
    orphanedResources: dict[Literal["warn"], bool]


class Source(Strict):
    repoURL: str
    targetRevision: str
    path: str


class Automated(Strict):
    prune: bool
    selfHeal: bool


class Backoff(Strict):
    duration: str
    factor: int
    maxDuration: str


class Retry(Strict):
    limit: int
    backoff: Backoff


class SyncPolicy(Strict):
    automated: Automated
    syncOptions: list[Literal["ServerSideApply=true", "PruneLast=true"]]
    retry: Retry


class ApplicationSpec(Strict):
    project: str
    source: Source
    destination: Destination
    syncPolicy: SyncPolicy


class ApplicationTemplate(Strict):
    metadata: Metadata
    spec: ApplicationSpec


class ListGenerator(Strict):
    elements: list[dict[str, str]]


class Listed(Strict):
    list: ListGenerator


class Matrix(Strict):
    # Argo CD takes two, no more and no less.
    generators: list[Listed] = Field(min_length=2, max_length=2)


class Crossed(Strict):
    matrix: Matrix


class SetSyncPolicy(Strict):
    preserveResourcesOnDeletion: bool


class ApplicationSetSpec(Strict):
    goTemplate: bool
    goTemplateOptions: list[Literal["missingkey=error"]]
    generators: list[Crossed]
    template: ApplicationTemplate
    syncPolicy: SetSyncPolicy


SPECS: dict[tuple[str, str], type[Strict]] = {
    ("monitoring.coreos.com/v1", "ServiceMonitor"): ServiceMonitorSpec,
    ("monitoring.coreos.com/v1", "PrometheusRule"): PrometheusRuleSpec,
    ("serving.kserve.io/v1beta1", "InferenceService"): InferenceServiceSpec,
    ("argoproj.io/v1alpha1", "AppProject"): AppProjectSpec,
    ("argoproj.io/v1alpha1", "ApplicationSet"): ApplicationSetSpec,
}


def validate(resource: dict[str, Any]) -> None:
    """Raises pydantic's error when the custom resource has a wrong or unknown field."""
    assert set(resource) == {"apiVersion", "kind", "metadata", "spec"}
    Metadata.model_validate(resource["metadata"])
    SPECS[resource["apiVersion"], resource["kind"]].model_validate(resource["spec"])
