"""The steps of a run, out of what the server tells about its workflow."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

#: Parts of the workflow that are KFP's own, when the run does not bring its pipeline.
_INTERNAL = re.compile(r"^(root|executor|system-.*)$|-driver$|\(\d+\)$")
_UNSET_YEAR = 1970


@dataclass(frozen=True)
class Step:
    """One step of a pipeline.

    Attributes:
        name: The task's name in the pipeline.
        state: KFP's word for its state.
        started: When it started, if it has.
        ended: When it ended, if it has.
        error: What the server says about a failure.
        pods: Pods that may have its log.
    """

    name: str
    state: str
    started: datetime | None
    ended: datetime | None
    error: str
    pods: tuple[str, ...]


def steps(run: Any) -> list[Step]:
    """The steps of a run that have begun, in order of their start."""
    known = set(_tasks(run.pipeline_spec))
    details = (run.run_details and run.run_details.task_details) or []
    found: dict[str, Step] = {}
    for detail in sorted(details, key=_order):
        name = detail.display_name or ""
        if name in known or (not known and not _INTERNAL.search(name)):
            # Of a repeated step the newest attempt counts.
            found[name] = _step(detail)
    return list(found.values())


def task_count(run: Any) -> int:
    """How many steps the pipeline has; 0 when the run does not bring it."""
    return len(set(_tasks(run.pipeline_spec)))


def _step(detail: Any) -> Step:
    children = [child.pod_name for child in detail.child_tasks or []]
    return Step(
        name=detail.display_name,
        state=detail.state or "PENDING",
        started=_moment(detail.start_time),
        ended=_moment(detail.end_time),
        error=(detail.error and detail.error.message) or "",
        pods=tuple(pod for pod in (detail.pod_name, *children) if pod),
    )


def _tasks(spec: Any) -> Iterator[str]:
    """Names of the tasks that run in pods of their own, not of groups."""
    whole = spec.get("pipeline_spec", spec) if isinstance(spec, dict) else {}
    components = whole.get("components", {})
    for dag in (whole.get("root", {}), *components.values()):
        for name, task in dag.get("dag", {}).get("tasks", {}).items():
            if "dag" not in components.get(task["componentRef"]["name"], {}):
                yield name


def _moment(value: datetime | None) -> datetime | None:
    """KFP writes the year 1970 for what has not happened."""
    return value if value and value.year > _UNSET_YEAR else None


def _order(detail: Any) -> float:
    """When a step started; those that have not come last."""
    started = _moment(detail.start_time)
    return started.timestamp() if started else math.inf
