"""What a training run made, for the terminal: metrics, slices, where the model is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from headrace.pipelines.local.records import DONE, RunRecord

_SLICES_PER_COLUMN = 20
#: The order in which metrics are shown: artifact metadata keeps none. Others follow by name.
_ORDER = (
    "auc",
    "auc_precision_recall",
    "binary_accuracy",
    "binary_crossentropy",
    "root_mean_squared_error",
    "mean_absolute_error",
    "mean_squared_error",
    "squared_pearson_correlation",
    "calibration",
    "mean_prediction",
    "mean_label",
    "example_count",
)
#: Columns of a slice record that are not metrics.
_SLICE_KEYS = frozenset({"slice", "group", "rows"})


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
    table = _table("Test split")
    table.add_column("metric")
    table.add_column("value", justify="right", no_wrap=True)
    for name in _ordered(values):
        table.add_row(name, _number(values[name]))
    return table


def _slices(slices: list[dict[str, Any]]) -> Table:
    names = _ordered({name for entry in slices for name in entry} - _SLICE_KEYS)
    table = _table("Slices")
    table.add_column("slice", overflow="fold")
    for name in ("rows", *names):
        table.add_column(name, justify="right", overflow="fold")
    shown: dict[str, int] = {}
    for entry in slices:
        group = str(entry["group"])
        shown[group] = shown.get(group, 0) + 1
        if shown[group] <= _SLICES_PER_COLUMN:
            values = (_number(entry.get(name)) for name in ("rows", *names))
            table.add_row(str(entry["slice"]), *values)
    left_out = sum(max(0, count - _SLICES_PER_COLUMN) for count in shown.values())
    if left_out:
        table.caption = f"{left_out} more in the report"
    return table


def _table(title: str) -> Table:
    # Folding, never an ellipsis: on a narrow terminal nothing may be cut off.
    return Table(
        title=title,
        title_justify="left",
        caption_justify="left",
        box=None,
        header_style="bold",
        pad_edge=False,
    )


def _ordered(names: Iterable[str]) -> list[str]:
    rank = {name: position for position, name in enumerate(_ORDER)}
    return sorted(names, key=lambda name: (rank.get(name, len(_ORDER)), name))


def _number(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if float(value).is_integer() and abs(value) >= 2 else f"{value:.4f}"
