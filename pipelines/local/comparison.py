"""Metrics of runs, and what differs between two of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from headrace.pipelines.local.records import RunRecord

_METRICS = "system.Metrics"


@dataclass(frozen=True)
class Row:
    """One thing in two runs; none where a run does not have it."""

    name: str
    first: Any
    second: Any

    @property
    def change(self) -> float | None:
        """The second minus the first, where both are numbers."""
        both = (self.first, self.second)
        if all(isinstance(value, int | float) and not isinstance(value, bool) for value in both):
            return float(self.second - self.first)
        return None


@dataclass(frozen=True)
class Comparison:
    """Two runs side by side."""

    arguments: list[Row]
    verdicts: list[Row]
    metrics: list[Row]
    seconds: list[Row]
    compute: list[Row]


def metrics(run: RunRecord) -> dict[str, dict[str, Any]]:
    """The content of every Metrics artifact, by step and output."""
    return {
        f"{task.name}.{name}": artifact.metadata
        for task in run.tasks.values()
        for name, artifact in task.outputs.artifacts.items()
        if artifact.type == _METRICS and artifact.metadata
    }


def compare(first: RunRecord, second: RunRecord) -> Comparison:
    """What differs in the arguments; everything measured, side by side."""
    changed = [row for row in _rows(first.arguments, second.arguments) if row.first != row.second]
    return Comparison(
        arguments=changed,
        verdicts=_rows(_verdicts(first), _verdicts(second)),
        metrics=_rows(_flat(metrics(first)), _flat(metrics(second))),
        seconds=[
            Row("whole run", first.seconds, second.seconds),
            *_rows(_seconds(first), _seconds(second)),
        ],
        compute=_rows(first.bill.amounts(), second.bill.amounts()),
    )


def _rows(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[Row]:
    return [
        Row(name, first.get(name), second.get(name)) for name in dict.fromkeys([*first, *second])
    ]


def _flat(grouped: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    return {
        f"{group}.{name}": value for group, part in grouped.items() for name, value in part.items()
    }


def _verdicts(run: RunRecord) -> dict[str, str]:
    return {task.name: task.verdict for task in run.tasks.values() if task.verdict is not None}


def _seconds(run: RunRecord) -> dict[str, float]:
    """Steps that ran; what came from the cache took no time worth comparing."""
    return {task.name: task.seconds for task in run.ordered if task.seconds}
