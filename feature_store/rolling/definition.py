"""What a rolling feature view holds: statistics of an entity's events over windows of time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import Literal

#: The tag of a feature view that holds its rolling definition as JSON.
TAG = "headrace.rolling"

Function = Literal["mean", "sum", "count", "last"]

#: Columns that every table of events has. `known_at` is the first moment anybody could know it.
EVENT_ID, KIND, KNOWN_AT = "event_id", "kind", "known_at"
#: Columns that every computed row has besides its keys and statistics.
EVENT_TIMESTAMP, CREATED = "event_timestamp", "created"


@dataclass(frozen=True)
class Statistic:
    """One feature: a function of one column of the entity's events of one kind.

    Attributes:
        name: The feature's name.
        function: `mean` and `sum` are of integers (a mean of nothing is null), `count` needs no
            column, `last` is the column of the entity's newest event of any of the view's kinds.
        kind: The kind of event counted; None for `last`.
        column: The integer column.
        window: How far back, excluding the far end; None for `last`.
    """

    name: str
    function: Function
    kind: str | None = None
    column: str | None = None
    window: timedelta | None = None

    def __post_init__(self) -> None:
        """Refuses a definition that has no meaning.

        Raises:
            ValueError: a part is missing.
        """
        if self.function != "count" and self.column is None:
            raise ValueError(f"Statistic {self.name!r}: {self.function} needs a column.")
        if self.function != "last" and (self.kind is None or self.window is None):
            raise ValueError(f"Statistic {self.name!r}: {self.function} needs kind and window.")


@dataclass(frozen=True)
class RollingView:
    """Statistics that share their entity keys: the content of one feature view.

    Attributes:
        name: The feature view's name.
        keys: Join-key columns; an event without one of them does not concern the view.
        statistics: The features.
        kinds: Kinds of events that give a new row; by default those that the statistics count.
    """

    name: str
    keys: tuple[str, ...]
    statistics: tuple[Statistic, ...]
    kinds: tuple[str, ...] = ()

    @cached_property
    def triggers(self) -> list[str]:
        """Kinds of events after which the view has a new row."""
        counted = {statistic.kind for statistic in self.statistics if statistic.kind}
        return sorted({*self.kinds, *counted})

    @cached_property
    def horizon(self) -> timedelta:
        """The longest window: older events do not change the next row."""
        windows = [statistic.window for statistic in self.statistics if statistic.window]
        return max(windows, default=timedelta(0))

    @property
    def features(self) -> list[str]:
        """Names of the features, in order."""
        return [statistic.name for statistic in self.statistics]


def windows(
    prefix: str,
    kind: str,
    columns: Sequence[str],
    hours: Sequence[int],
    function: Function = "mean",
) -> list[Statistic]:
    """One statistic per column and window, named like `origin_delay_3h` or `line_late_28d`."""
    return [
        Statistic(
            name=f"{prefix}_{column}_{_window_name(length)}",
            function=function,
            kind=kind,
            column=column,
            window=timedelta(hours=length),
        )
        for column in columns
        for length in hours
    ]


def last(names: dict[str, str]) -> list[Statistic]:
    """The newest event's columns: feature name to column."""
    return [Statistic(name, "last", column=column) for name, column in names.items()]


def _window_name(hours: int) -> str:
    return f"{hours // 24}d" if hours > 24 and hours % 24 == 0 else f"{hours}h"
