"""What a training run made, for the terminal: metrics, slices, where the model is."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from headrace.pipelines.local.records import DONE, RunRecord

_SLICES_PER_COLUMN = 20


def result_tables(record: RunRecord) -> Iterator[RenderableType]:
    """Test metrics, slices and the pushed model of a run, as far as it got."""
    evaluator = record.tasks.get("evaluator")
    if evaluator is not None and evaluator.state in DONE:
        artifacts = evaluator.outputs.artifacts
        yield _metrics(artifacts["metrics"].metadata)
        slices = artifacts["evaluation_result"].metadata.get("slices", [])
        if slices:
            yield _slices(slices)
    pusher = record.tasks.get("pusher")
    if pusher is not None and pusher.state in DONE:
        model = pusher.outputs.artifacts["pushed_model"]
        place = Path(str(model.metadata["external_path"]))
        yield Text.assemble(("Model: ", "bold"), f"{place}  ({pusher.verdict})")


def _metrics(values: dict[str, Any]) -> Table:
    table = Table(title="Test split", title_justify="left", box=None, header_style="bold")
    for name in values:
        table.add_column(name, justify="right")
    table.add_row(*(f"{value:,.4f}".removesuffix(".0000") for value in values.values()))
    return table


def _slices(slices: list[dict[str, Any]]) -> Table:
    names = [name for name in slices[0] if name not in {"slice", "group"}]
    table = Table(title="Slices", title_justify="left", box=None, header_style="bold")
    table.add_column("slice")
    for name in names:
        table.add_column(name, justify="right")
    shown: dict[str, int] = {}
    for entry in slices:
        group = str(entry["group"])
        shown[group] = shown.get(group, 0) + 1
        if shown[group] <= _SLICES_PER_COLUMN:
            table.add_row(str(entry["slice"]), *(_number(entry.get(name)) for name in names))
    return table


def _number(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if float(value).is_integer() and abs(value) >= 2 else f"{value:.4f}"
