"""Runs on a cluster: find them, wait for them, start them again, stop them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import islice
from typing import Any

from headrace.pipelines.cluster import lookup
from headrace.pipelines.cluster.client import Cluster
from headrace.pipelines.cluster.errors import ClusterError

SUCCEEDED, FAILED, CANCELED, SKIPPED = "SUCCEEDED", "FAILED", "CANCELED", "SKIPPED"
ENDED = {SUCCEEDED, FAILED, CANCELED, SKIPPED}
LATEST = "latest"
#: For so many polls in a row a server may be away while a run is watched.
_PATIENCE = 10


def recent(cluster: Cluster, limit: int) -> list[Any]:
    """Runs, newest first."""
    found = lookup.everything(
        cluster.client.list_runs,
        "runs",
        sort_by=lookup.NEWEST_FIRST,
        namespace=cluster.namespace or None,
    )
    return list(islice(found, limit))


def find(cluster: Cluster, word: str) -> Any:
    """The run with this id or name, or the newest one for ``latest``.

    Raises:
        ClusterError: there is none.
    """
    if word == LATEST:
        newest = recent(cluster, 1)
        if not newest:
            raise ClusterError(
                f"{cluster.url} has no runs yet.", fix="Start one with `headrace submit`."
            )
        # The list leaves the steps out.
        return cluster.client.get_run(newest[0].run_id)

    def ask(**options: Any) -> Any:
        return cluster.client.list_runs(namespace=cluster.namespace or None, **options)

    found = lookup.one(word, "run", cluster.client.get_run, ask, "runs")
    return found if found.run_id == word else cluster.client.get_run(found.run_id)


def watch(cluster: Cluster, run_id: str, every: float) -> Iterator[Any]:
    """The run as the server knows it, again and again until it has ended.

    Args:
        cluster: The server.
        run_id: The run.
        every: Seconds between two requests.

    Raises:
        ClusterError: the server refuses, or stays away.
    """
    failures = 0
    while True:
        try:
            run = cluster.client.get_run(run_id)
        except ClusterError as error:
            failures += 1
            # Without a status there was no answer: a restart, or a tunnel that comes back.
            away = error.temporary or error.status is None
            if not away or failures > _PATIENCE:
                raise
        else:
            failures = 0
            yield run
            if run.state in ENDED:
                return
        time.sleep(every)


def retry(cluster: Cluster, run: Any) -> None:
    """Runs the failed steps of an ended run again.

    Raises:
        ClusterError: it has not failed, or the server refused.
    """
    if run.state not in {FAILED, CANCELED}:
        raise ClusterError(
            f"Run {run.run_id} is {run.state}: only a failed or canceled run can be tried again.",
            fix="Start a new one with `headrace submit`.",
            status=409,
        )
    cluster.client.runs.run_service_retry_run(run_id=run.run_id)


def terminate(cluster: Cluster, run: Any) -> None:
    """Stops a run.

    Raises:
        ClusterError: it has ended, or the server refused.
    """
    if run.state in ENDED:
        raise ClusterError(
            f"Run {run.run_id} has ended: {run.state}.", fix="There is nothing to stop.", status=409
        )
    cluster.client.terminate_run(run.run_id)
