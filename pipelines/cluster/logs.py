"""Logs of steps.

The API of KFP 2 has no logs. Its server still has a path of an earlier version that reads a pod's
log, or the archived one; it is not behind the address of the web interface.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from headrace.pipelines.cluster.client import Cluster
from headrace.pipelines.cluster.errors import ClusterError
from headrace.pipelines.cluster.steps import Step

_PATH = "/apis/v1alpha1/runs/{run_id}/nodes/{node_id}/log"
#: Answers that mean "not this pod" or "no such path" (200 is a page), not "not you".
_ABSENT = {200, 400, 404, 405, 500}


def print_logs(
    cluster: Cluster, run_id: str, steps: Iterable[Step], write: Callable[[str], None]
) -> None:
    """Writes the logs of steps.

    Raises:
        ClusterError: the server does not give a log, and how to get it; or it refuses or fails.
    """
    missing = []
    for step in steps:
        text = read(cluster, run_id, step)
        if text is None:
            missing.append(step.name)
        else:
            write(f"── {step.name} ──\n{text.rstrip()}")
    if missing:
        raise ClusterError(
            f"{cluster.url} gives no log of {', '.join(missing)}: KFP's API 2 has none, and the "
            "older path answers for existing pods only, and not behind the web interface.",
            fix=f"{kubectl(run_id, cluster.pods)}\nThe web interface has logs too: "
            f"{cluster.run_link(run_id)}",
        )


def read(cluster: Cluster, run_id: str, step: Step) -> str | None:
    """The log of a step; None when the server does not give it.

    Raises:
        ClusterError: the server refuses or fails.
    """
    for pod in step.pods:
        try:
            return _of_pod(cluster, run_id, pod)
        except ClusterError as error:
            if error.status not in _ABSENT:
                raise
    return None


def kubectl(run_id: str, namespace: str) -> str:
    """The command that shows the logs of a run's pods while they exist."""
    return f"kubectl logs -n {namespace} -l pipeline/runid={run_id} -c main --prefix --tail=-1"


def _of_pod(cluster: Cluster, run_id: str, pod: str) -> str:
    answer: Any = cluster.api.call_api(
        _PATH,
        "GET",
        path_params={"run_id": run_id, "node_id": pod},
        header_params={"Accept": "text/plain"},
        auth_settings=["Bearer"],
        _preload_content=False,
    )
    text: str = answer.data.decode("utf-8", errors="replace")
    return text
