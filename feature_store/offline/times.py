"""Timestamps: everything is compared and handed out in microseconds UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
import pyarrow as pa

MOMENT = pl.Datetime("us", "UTC")
_TICK = timedelta(microseconds=1)


def is_time(kind: pl.DataType) -> bool:
    """Whether a column of this type can say when something happened."""
    return isinstance(kind, pl.Datetime) or kind == pl.Date


def in_utc(column: str, kind: pl.DataType) -> pl.Expr:
    """A timestamp or date column in microseconds UTC; without a zone it is UTC already."""
    moment = pl.col(column)
    if kind == pl.Date:
        moment = moment.cast(pl.Datetime("us"))
    if getattr(kind, "time_zone", None) is None:
        moment = moment.dt.replace_time_zone("UTC")
    return moment.dt.convert_time_zone("UTC").dt.cast_time_unit("us")


def within(column: str, kind: pl.DataType, low: datetime | None, high: datetime | None) -> pl.Expr:
    """Whether a column lies in ``[low, high]``, in the form that Parquet's statistics serve.

    Nanoseconds above ``high`` are kept: read as microseconds, they equal it.
    """
    moment, plain = pl.col(column), False
    if isinstance(kind, pl.Datetime) and kind.time_zone is None:
        plain = True
    elif kind != MOMENT:
        moment = in_utc(column, kind)
    inside = moment.is_not_null()
    if low is not None:
        inside &= moment >= _literal(low, plain)
    if high is not None:
        inside &= moment < _literal(high + _TICK, plain)
    return inside


def _literal(moment: datetime, plain: bool) -> pl.Expr:
    return pl.lit(
        moment.replace(tzinfo=None) if plain else moment,
        pl.Datetime("us", None if plain else "UTC"),
    )


def utc(moment: datetime | None) -> datetime | None:
    """A bound in UTC; without a zone it is UTC already, and the last moment of all is none."""
    if moment is None or moment.replace(tzinfo=None) > datetime.max - timedelta(days=2):
        return None
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)
    return moment.astimezone(UTC)


def earlier(moment: datetime, by: timedelta) -> datetime | None:
    """``moment - by``, or None when that is before all time."""
    try:
        return moment - by
    except OverflowError:
        return None


def tidy(table: pa.Table) -> pa.Table:
    """The table with the types that Feast and its users expect.

    Text and lists with 32-bit offsets (polars writes 64-bit ones), timestamps in microseconds.
    """
    wanted = pa.schema([field.with_type(_tidy_type(field.type)) for field in table.schema])
    # Nanoseconds that do not fit are cut off.
    return table if wanted == table.schema else table.cast(wanted, safe=False)


def _tidy_type(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_timestamp(kind):
        return pa.timestamp("us", tz=kind.tz)
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pa.string()
    if pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind):
        return pa.binary()
    if pa.types.is_large_list(kind):
        return pa.list_(_tidy_type(kind.value_type))
    return kind
