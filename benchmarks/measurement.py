"""One measured number, what it is compared with, and whether that is good enough."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from rich.table import Table
from rich.text import Text

from headrace.components.shared.files import write_text


@dataclass(frozen=True)
class Target:
    """What is good enough.

    Attributes:
        limit: The number to meet.
        of: Whether the limit is for our value, or for its ratio to the reference.
        better: Which direction is good.
    """

    limit: float
    of: Literal["value", "ratio"] = "ratio"
    better: Literal["lower", "higher"] = "lower"

    def met_by(self, value: float) -> bool:
        """Whether ``value`` (NaN never) is on the good side."""
        return value <= self.limit if self.better == "lower" else value >= self.limit


@dataclass(frozen=True)
class Measurement:
    """A result.

    Attributes:
        name: What was measured.
        unit: Unit of the values, such as ``s``.
        target: What is good enough.
        ours: Headrace's values, one per repetition.
        reference: The values of what it is compared with; empty for an absolute target.
        reference_name: What it is compared with.
        note: What the reader should know.
    """

    name: str
    unit: str
    target: Target
    ours: Sequence[float]
    reference: Sequence[float] = ()
    reference_name: str = ""
    note: str = ""
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def value(self) -> float:
        """The median of our values."""
        return statistics.median(self.ours)

    @property
    def reference_value(self) -> float | None:
        """The median of the reference's values."""
        return statistics.median(self.reference) if self.reference else None

    @property
    def ratio(self) -> float | None:
        """Our median over the reference's."""
        if self.reference_value is None:
            return None
        return self.value / self.reference_value if self.reference_value else float("nan")

    @property
    def ok(self) -> bool:
        """Whether the target is met."""
        decisive = self.value if self.target.of == "value" else self.ratio
        if decisive is None:
            raise ValueError(f"{self.name}: a target for a ratio needs a reference")
        return self.target.met_by(decisive)


def table(measurements: Iterable[Measurement]) -> Table:
    """The measurements for a terminal."""
    result = Table(box=None, header_style="bold", pad_edge=False)
    for column in ("", "measurement", "compared with"):
        result.add_column(column, overflow="fold")
    for column in ("Headrace", "reference", "ratio", "target"):
        result.add_column(column, justify="right", no_wrap=True)
    for item in measurements:
        style = "green" if item.ok else "bold red"
        result.add_row(
            Text("ok" if item.ok else "missed", style=style),
            Text.assemble(item.name, (f"\n{item.note}" if item.note else "", "dim")),
            item.reference_name,
            _amount(item.value, item.unit),
            "" if item.reference_value is None else _amount(item.reference_value, item.unit),
            "" if item.ratio is None else Text(f"{item.ratio:.3f} x", style=style),
            target_text(item),
        )
    return result


def target_text(item: Measurement) -> str:
    """The target with its sign and unit, such as ``≤ 5 s``."""
    sign = "≤" if item.target.better == "lower" else "≥"
    unit = "x" if item.target.of == "ratio" else item.unit
    return f"{sign} {item.target.limit:g} {unit}".strip()


def _amount(value: float, unit: str) -> str:
    digits = 4 if not unit else 2 if value < 10 else 1
    return f"{value:,.{digits}f} {unit}".strip()


def write_results(path: Path, measurements: Iterable[Measurement], machine: dict[str, Any]) -> None:
    """Writes everything as JSON, whole or not at all."""
    entries = [
        {
            **asdict(item),
            "value": item.value,
            "reference_value": item.reference_value,
            "ratio": item.ratio,
            "ok": item.ok,
        }
        for item in measurements
    ]
    write_text(path, json.dumps({"machine": machine, "measurements": entries}, indent=2) + "\n")
