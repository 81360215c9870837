"""What comparing offline with online values found, for people and for gates."""

from __future__ import annotations

import datetime as dt
import math
import struct
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headrace.components.shared import report

#: Examples that are kept of each feature.
_EXAMPLES = 5


@dataclass(frozen=True)
class Example:
    """One value that differs.

    Attributes:
        entity: The join keys of the feature's view; of a computed one, all that was given.
        time: The moment that was asked for.
        offline: The value of the point-in-time join.
        online: The value that was served.
        status: Why the online value is there or not; empty where a log does not tell.
        online_time: Event timestamp of the online value, when it is known.
    """

    entity: dict[str, Any]
    time: dt.datetime
    offline: Any
    online: Any
    status: str
    online_time: dt.datetime | None

    def __str__(self) -> str:
        asked = ", ".join(f"{name}={value}" for name, value in self.entity.items())
        asked = asked or "without entity"
        since = f" of {self.online_time:%Y-%m-%d %H:%M:%S}" if self.online_time else ""
        online = f"{self.online!r} ({self.status or 'served'}{since})"
        return (
            f"{asked} at {self.time:%Y-%m-%d %H:%M:%S}: offline {self.offline!r}, online {online}"
        )


@dataclass(frozen=True)
class FeatureResult:
    """One feature over all rows.

    Attributes:
        name: ``view__feature``.
        compared: How many values.
        differing: How many of them differ.
        statuses: How many online values had each status.
        examples: Some that differ.
    """

    name: str
    compared: int
    differing: int
    statuses: dict[str, int]
    examples: list[Example]

    @property
    def rate(self) -> float:
        """The share of values that differ."""
        return self.differing / self.compared if self.compared else 0.0


@dataclass(frozen=True)
class Comparison:
    """All features of a service.

    Attributes:
        service: The feature service.
        rows: How many rows were asked for.
        first: The earliest moment asked for.
        last: The latest one.
        features: The features, those that differ most first.
        tolerance: How much floating-point numbers may differ, as a share of the larger one.
    """

    service: str
    rows: int
    first: dt.datetime | None
    last: dt.datetime | None
    features: list[FeatureResult]
    tolerance: float

    @property
    def compared(self) -> int:
        """How many values were compared."""
        return sum(feature.compared for feature in self.features)

    @property
    def differences(self) -> int:
        """How many of them differ."""
        return sum(feature.differing for feature in self.features)

    @property
    def differing(self) -> list[FeatureResult]:
        """The features that differ."""
        return [feature for feature in self.features if feature.differing]

    @property
    def agrees(self) -> bool:
        """Whether no value differs."""
        return not self.differences

    def verdict(self) -> str:
        """One line for people."""
        seen = f"{self.compared:,} values in {self.rows:,} rows"
        if self.agrees:
            return f"{self.service}: offline and online agree in {seen}"
        names = [feature.name for feature in self.differing]
        shown = ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
        return f"{self.service}: {self.differences:,} of {seen} differ ({shown})"

    def markdown(self) -> str:
        """The same with a table of the features that differ."""
        lines = [f"**{self.verdict()}**", ""]
        if self.differing:
            lines += ["| feature | differ | of | example |", "| --- | ---: | ---: | --- |"]
        for feature in self.differing:
            example = str(feature.examples[0]).replace("|", "\\|")
            lines.append(
                f"| `{feature.name}` | {feature.differing:,} | {feature.compared:,} | {example} |"
            )
        return "\n".join(lines).rstrip() + "\n"

    def write_html(self, path: Path) -> None:
        """Writes the report page."""
        report.write(path, "feature_check.html", title="Features offline and online", result=self)


@dataclass(frozen=True)
class Online:
    """A feature's online values, row by row.

    Attributes:
        values: The values.
        statuses: Names of their statuses; empty texts when they are not known.
        times: Event timestamps; None when they are not known.
    """

    values: Sequence[Any]
    statuses: Sequence[str]
    times: Sequence[dt.datetime | None]


def compare_feature(
    name: str,
    entity: Callable[[int], dict[str, Any]],
    moments: Sequence[dt.datetime],
    offline: Sequence[Any],
    online: Online,
    tolerance: float,
) -> FeatureResult:
    """Compares one feature row by row; examples are of different entities."""
    differing = [
        row
        for row, (one, other) in enumerate(zip(offline, online.values, strict=True))
        if not equal(one, other, tolerance)
    ]
    examples = [
        Example(
            entity(row),
            moments[row],
            offline[row],
            online.values[row],
            online.statuses[row],
            online.times[row],
        )
        for row in _different(differing, entity)
    ]
    statuses = Counter(status for status in online.statuses if status)
    return FeatureResult(name, len(offline), len(differing), dict(statuses), examples)


def _different(rows: Sequence[int], entity: Callable[[int], dict[str, Any]]) -> list[int]:
    """The first rows of different entities."""
    first: dict[tuple[Any, ...], int] = {}
    for row in rows:
        first.setdefault(tuple(entity(row).values()), row)
        if len(first) == _EXAMPLES:
            break
    return list(first.values())


def equal(one: Any, other: Any, tolerance: float = 0.0) -> bool:
    """Whether two values are the same: NaN is null, floats are equal bit for bit.

    Whole numbers may arrive as floats, because columns with nulls become floats on their way.
    """
    one, other = _plain(one), _plain(other)
    if one is None or other is None:
        return one is other
    if isinstance(one, list) and isinstance(other, list):
        pairs = zip(one, other, strict=False)
        return len(one) == len(other) and all(equal(a, b, tolerance) for a, b in pairs)
    if isinstance(one, float) and isinstance(other, float):
        if tolerance:
            return math.isclose(one, other, rel_tol=tolerance)
        return struct.pack("d", one) == struct.pack("d", other)
    return bool(one == other)


def _plain(value: Any) -> Any:
    if isinstance(value, float) and math.isnan(value):
        return None
    if isinstance(value, dt.datetime) and value.tzinfo is None:
        return value.replace(tzinfo=dt.UTC)
    return value
