"""The variants as the plain values that the report shows."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from headrace.components.deployment.edge_export.parity import Reference
from headrace.components.evaluation.evaluator.view import slice_name
from headrace.components.evaluation.metrics import NAMES
from headrace.components.shared import report
from headrace.components.shared.config.edge import Edge

if TYPE_CHECKING:
    from headrace.components.deployment.edge_export.export import Candidate, Result
    from headrace.components.deployment.edge_export.measure import Measured
    from headrace.components.deployment.edge_export.source import Graph

    _Found = list[tuple[Candidate, Measured]]

_TEMPLATE = "edge.html"
_TITLE = "Export for devices"


def write_empty(page: Path, verdict: str) -> None:
    """Writes the report of a project that asks for no export."""
    report.write(page, _TEMPLATE, title=_TITLE, verdict=verdict, blessed=True, variants=[])


def write(page: Path, result: Result, reference: Reference, edge: Edge, graph: Graph) -> None:
    """Writes the report.

    Args:
        page: The file.
        result: What became of the variants.
        reference: What they were compared with.
        edge: Their limits.
        graph: What was converted.
    """
    measured = [(one, one.measured) for one in result.candidates if one.measured]
    report.write(
        page,
        _TEMPLATE,
        title=_TITLE,
        verdict=result.verdict,
        blessed=result.blessed,
        rows=len(reference.label),
        metric=NAMES[reference.task][0],
        decision=edge.decision if reference.task == "binary_classification" else None,
        whole=graph.whole,
        reason=graph.reason,
        variants=[_variant(one, edge, reference.task) for one in result.candidates],
        charts=[
            _chart(measured, "size in KB", lambda found: found.bytes / 1000),
            _chart(measured, "median latency in ms", lambda found: found.p50),
        ]
        if measured
        else [],
        slices=_slices(measured),
    )


def _variant(one: Candidate, edge: Edge, task: str) -> dict[str, Any]:
    return {
        "name": one.variant,
        "measured": one.measured,
        "share": one.share,
        "overall": one.measured.differences[0] if one.measured else None,
        "limits": edge.limits(one.variant, task),
        "reasons": one.reasons,
    }


def _chart(measured: _Found, label: str, across: Callable[[Measured], float]) -> dict[str, Any]:
    """Points of a scatter chart in the unit square, with the metric upwards."""
    values = [across(found) for _, found in measured]
    metrics = [found.differences[0].metric for _, found in measured]
    right = max(values) * 1.1
    low, high = min(metrics), max(metrics)
    margin = max((high - low) * 0.2, abs(high) * 1e-5, 1e-9)
    low, high = low - margin, high + margin
    points = [
        {
            "name": one.variant,
            "x": value / right,
            "y": (metric - low) / (high - low),
            "good": not one.reasons,
            "title": f"{value:.4g}, {metric:.5f}",
        }
        for (one, _), value, metric in zip(measured, values, metrics, strict=True)
        if math.isfinite(metric)
    ]
    points.sort(key=lambda point: point["x"])  # neighbours get their names above and below
    return {"label": label, "points": points, "right": right, "low": low, "high": high}


def _slices(measured: _Found) -> list[dict[str, Any]]:
    """One row per slice, with the differences of every variant."""
    columns = [found.differences[1:] for _, found in measured]
    return [
        {
            "name": slice_name(row[0].key),
            "rows": row[0].rows,
            "cells": [{"max": cell.max_difference, "flips": cell.flips} for cell in row],
        }
        for row in zip(*columns, strict=True)
    ]
