"""Runs of a project on a cluster."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from headrace.pipelines.cluster.arguments import Work
from headrace.pipelines.cluster.client import Cluster
from headrace.pipelines.cluster.package import Package


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How a run is started, now or on a schedule.

    Attributes:
        experiment: Group of runs; the project's name when left out.
        name: The run's name.
        cache: Reuse steps that KFP has done with the same inputs.
        pipeline_root: URI of the folder for artifacts; the server's own when left out.
        service_account: Kubernetes service account of the steps.
    """

    experiment: str | None = None
    name: str | None = None
    cache: bool = True
    pipeline_root: str | None = None
    service_account: str | None = None


def package_of(work: Work, settings: Settings) -> Package:
    """The compiled pipeline, with caching as the settings say."""
    package = work.package
    return package if settings.cache else package.without_cache()


def submit(cluster: Cluster, work: Work, values: Mapping[str, Any], settings: Settings) -> Any:
    """Starts a run and returns what the server knows of it.

    Args:
        cluster: The server.
        work: The project.
        values: Its arguments.
        settings: How the run is started.

    Raises:
        ClusterError: the server refused or failed.
    """
    experiment = experiment_id(cluster, settings.experiment or values["project"])
    with package_of(work, settings).file() as file, cluster.quiet() as client:
        return client.run_pipeline(
            experiment_id=experiment,
            job_name=settings.name or _name(values["project"]),
            pipeline_package_path=str(file),
            params=dict(values),
            pipeline_root=settings.pipeline_root,
            service_account=settings.service_account,
        )


def experiment_id(cluster: Cluster, name: str) -> str:
    """The id of the experiment ``name``, which is made when it does not exist."""
    with cluster.quiet() as client:
        experiment = client.create_experiment(name, namespace=cluster.namespace or None)
    found: str = experiment.experiment_id
    return found


def _name(project: str) -> str:
    return f"{project} {datetime.now(UTC):%Y-%m-%d %H:%M:%S}"
