"""The entity frame: the rows to which features are joined."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa

from headrace.components.shared.errors import DataError
from headrace.feature_store.offline.asof import TIME
from headrace.feature_store.offline.sources import reading
from headrace.feature_store.offline.text import as_enum, repeated
from headrace.feature_store.offline.times import in_utc, tidy, within
from headrace.feature_store.offline.views import View

EVENT_TIMESTAMP = "event_timestamp"

#: The first and the last time of some rows; None without rows.
Span = tuple[datetime | None, datetime | None]


@dataclass(frozen=True)
class Entities:
    """Rows that ask for features.

    Attributes:
        table: All columns; the time in microseconds UTC.
        time: The column with the time of each row.
        texts: The distinct strings of text columns that ``table`` keeps by number.
    """

    table: pa.Table
    time: str
    texts: Mapping[str, pl.Enum] = field(default_factory=dict)

    @property
    def keys(self) -> list[str]:
        """All columns but the time."""
        return [name for name in self.table.column_names if name != self.time]

    def span(self) -> Span:
        """The first and the last time; None without rows."""
        times = pl.Series(self.table[self.time])
        first, last = times.min(), times.max()
        return (
            first if isinstance(first, datetime) else None,
            last if isinstance(last, datetime) else None,
        )

    def schema(self, names: Sequence[str]) -> dict[str, pl.DataType]:
        """The types of ``labels(names)``, without converting rows."""
        plain = [name for name in names if name not in self.texts]
        first = replace(self, table=self.table.slice(0, 0))
        return {**first.labels(plain).schema, **self.texts}

    def labels(self, names: Sequence[str]) -> pl.DataFrame:
        """What the join needs: TIME and those of ``names`` that are there."""
        keys = [name for name in dict.fromkeys(names) if name in self.table.column_names]
        # One column more, so that a table without keys has its rows too.
        columns = [self.time, *(name for name in keys if name != self.time)]
        frame = pl.DataFrame({name: self._column(name) for name in columns})
        return frame.select(pl.col(self.time).alias(TIME), *keys)

    def rows(self) -> pa.Table:
        """All columns as they are returned."""
        table = self.table
        for number, name in enumerate(table.column_names):
            if name in self.texts:
                table = table.set_column(number, name, table[name].cast(pa.string()))
        return table

    def _column(self, name: str) -> pl.Series:
        column = self.table[name]
        return as_enum(column, self.texts[name]) if name in self.texts else pl.Series(column)


def read_entities(frame: Any) -> Entities:
    """Checks the frame that a caller gave, and makes its times comparable.

    Args:
        frame: A pandas frame with ``event_timestamp``, or with one column of timestamps. Times may
            be timestamps or ISO 8601 text; without a zone they are UTC.

    Raises:
        DataError: it is not such a frame.
    """
    if not isinstance(frame, pd.DataFrame):
        raise DataError(
            f"The entity frame must be a pandas DataFrame; it is {type(frame).__name__}.",
            fix="This offline store reads files, so it cannot run a query for the labels: read "
            "them into a DataFrame first.",
        )
    twice = frame.columns[frame.columns.duplicated()].tolist()
    if twice:
        raise DataError(
            f"The entity frame has column {twice[0]!r} twice.", fix="Rename or drop one."
        )
    time = _time_column(frame)
    read: dict[Any, pa.Array] = {time: _times(frame[time])}
    for name in frame.columns.drop(time):
        text = repeated(frame[name])
        if text is not None:
            read[name] = text
    # Arrow would share the memory of the caller, who may change it before asking for the result.
    rest = frame[[name for name in frame.columns if name not in read]].copy()
    try:
        # Python's lock is held for each string: several threads would only wait for each other.
        others = pa.Table.from_pandas(rest, preserve_index=False, nthreads=1)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise DataError(
            f"A column of the entity frame has values of several types: {'; '.join(error.args)}.",
            fix="Convert the column to one type.",
        ) from error
    table = pa.table(
        {str(name): read[name] if name in read else others[str(name)] for name in frame.columns}
    )
    texts = {
        str(name): pl.Enum(pl.Series(column.dictionary))
        for name, column in read.items()
        if name != time
    }
    return Entities(tidy(table), time, texts)


def entities_between(views: Sequence[View], start: datetime, end: datetime) -> Entities:
    """One row for each time in ``[start, end]`` at which a view has a row for a key.

    A key that only some views have is null in the rows of the others.
    """
    frames = []
    for view in views:
        rows = view.scan.filter(within(view.event, view.schema[view.event], start, end))
        names = [pl.col(column).alias(name) for name, column in view.keys.items()]
        times = in_utc(view.event, view.schema[view.event]).alias(EVENT_TIMESTAMP)
        with reading(view.place):
            frames.append(rows.select(times, *names).unique().collect(engine="streaming"))
    found = pl.concat(frames, how="diagonal_relaxed").unique()
    return Entities(tidy(found.sort(found.columns).to_arrow()), EVENT_TIMESTAMP)


def _time_column(frame: pd.DataFrame) -> str:
    if EVENT_TIMESTAMP in frame.columns:
        return EVENT_TIMESTAMP
    times = [str(name) for name in frame.select_dtypes(["datetime", "datetimetz"]).columns]
    if len(times) == 1:
        return times[0]
    raise DataError(
        f"The entity frame needs a column {EVENT_TIMESTAMP!r}: when each row asks. "
        f"Its columns are {', '.join(map(repr, frame.columns))}, of which {len(times)} hold "
        "timestamps.",
        fix=f"Name the column {EVENT_TIMESTAMP!r}.",
    )


def _times(values: pd.Series[Any]) -> pa.Array:
    if pd.api.types.is_numeric_dtype(values) and len(values):
        raise DataError(
            f"Column {values.name!r} of the entity frame must hold timestamps or ISO 8601 text; "
            f"it holds {values.dtype}.",
            fix="Convert it, for example with `pandas.to_datetime(column, unit='s', utc=True)`.",
        )
    if not pd.api.types.is_datetime64_any_dtype(values):
        values = _parsed(values)
    # A copy, as Arrow would share the caller's memory. Nanoseconds are cut off; what has no zone is
    # in UTC.
    times = pa.Array.from_pandas(values.copy()).cast(pa.timestamp("us", "UTC"), safe=False)
    if times.null_count:
        raise DataError(
            f"Column {values.name!r} of the entity frame lacks the time in {times.null_count} of "
            f"{len(times)} rows.",
            fix="Fill in the times, or drop these rows.",
        )
    return times


def _parsed(values: pd.Series[Any]) -> pd.Series[Any]:
    try:
        times: pd.Series[Any] = pd.to_datetime(values, utc=True, format="ISO8601")
    except (ValueError, TypeError) as error:
        raise DataError(
            f"Column {values.name!r} of the entity frame must hold timestamps or ISO 8601 text: "
            f"{str(error).splitlines()[0]}",
            fix="Write times as in 2013-01-31T17:00:00Z.",
        ) from error
    return times
