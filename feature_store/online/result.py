"""What the reader answers."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from feast.protos.feast.serving.ServingService_pb2 import FieldStatus

_MICRO = 1_000_000


class Status(enum.IntEnum):
    """Why a value is there or not, with Feast's numbers (``FieldStatus``)."""

    PRESENT = FieldStatus.PRESENT
    NULL_VALUE = FieldStatus.NULL_VALUE
    NOT_FOUND = FieldStatus.NOT_FOUND
    OUTSIDE_MAX_AGE = FieldStatus.OUTSIDE_MAX_AGE


@dataclass(slots=True)
class Rows:
    """What is known about the rows of one feature view.

    Attributes:
        view: The view's name.
        states: Per row: PRESENT, NOT_FOUND or OUTSIDE_MAX_AGE.
        times: Per row: the event timestamp in microseconds; 0 when there is none.
    """

    view: str
    states: Sequence[int]
    times: Sequence[int]


@dataclass(slots=True)
class Column:
    """One column of the answer.

    Attributes:
        name: What the column is called.
        values: Per row: the value, None when it is not there.
        rows: What is known about its view's rows; None for join keys and computed features.
    """

    name: str
    values: list[Any]
    rows: Rows | None = None

    @property
    def statuses(self) -> list[int]:
        """Per row: the :class:`Status`."""
        present, null = int(Status.PRESENT), int(Status.NULL_VALUE)
        if self.rows is None:
            return [null if value is None else present for value in self.values]
        return [
            null if state == present and value is None else state
            for state, value in zip(self.rows.states, self.values, strict=True)
        ]

    @property
    def event_timestamps(self) -> list[float]:
        """Per row: seconds since 1970; 0 when there is none."""
        if self.rows is None:
            return [0.0] * len(self.values)
        return [time / _MICRO for time in self.rows.times]


@dataclass(slots=True)
class OnlineFeatures:
    """The answer: join keys first, then features in the order in which they were asked for.

    Attributes:
        names: The columns' names.
        values: Per column and row: the value, None when it is not there.
        sources: Per column: the number of its view; None for join keys and computed features.
        views: What is known about the rows of each view that was read.
        now: The moment the answer is for, in seconds since 1970.
        fallback: Why Feast's own reading was used instead of the fast one; None when it was not.
    """

    names: Sequence[str]
    values: Sequence[list[Any]]
    sources: Sequence[int | None]
    views: Sequence[Rows]
    now: float
    fallback: str | None = None

    @property
    def columns(self) -> list[Column]:
        """The columns, each with all that is known about it."""
        return [
            Column(name, values, None if source is None else self.views[source])
            for name, values, source in zip(self.names, self.values, self.sources, strict=True)
        ]

    @property
    def statuses(self) -> dict[str, list[int]]:
        """Per column and row: the :class:`Status`."""
        return {column.name: column.statuses for column in self.columns}

    @property
    def event_timestamps(self) -> dict[str, list[float]]:
        """Per column and row: the event timestamp in seconds since 1970; 0 when there is none."""
        return {column.name: column.event_timestamps for column in self.columns}

    def to_dict(self, include_event_timestamps: bool = False) -> dict[str, list[Any]]:
        """The values by column, with the keys of Feast's ``OnlineResponse.to_dict``."""
        if not include_event_timestamps:
            return dict(zip(self.names, self.values, strict=True))
        result: dict[str, list[Any]] = {}
        for column in self.columns:
            result[column.name] = column.values
            result[f"{column.name}__ts"] = [int(time) for time in column.event_timestamps]
        return result
