"""Tables as rows of the online store: checked, named as the view names them, newest per key."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import polars as pl
import pyarrow as pa
from feast.feature_view import DUMMY_ENTITY_ID, DUMMY_ENTITY_VAL
from feast.value_type import ValueType

from headrace.components.shared.errors import DataError
from headrace.feature_store.online import encode
from headrace.feature_store.online.keys import ENCODERS, KeyEncoder, converter

Table: TypeAlias = pa.Table | pa.RecordBatch | pl.DataFrame


@dataclass(frozen=True)
class Layout:
    """What the rows of a view consist of.

    Attributes:
        view: Feast's definition.
        keys: Join keys with types.
        features: Features with types.
        time: The column of event timestamps.
        created: The column that decides between rows of the same time, if there is one.
    """

    view: Any
    keys: dict[str, ValueType]
    features: dict[str, ValueType]
    time: str
    created: str | None

    @classmethod
    def of(cls, view: Any) -> Layout:
        """The layout that a view's definition asks for."""
        source = getattr(view, "batch_source", None)
        if source is None:
            raise DataError(
                f"Feature view {view.name!r} has no batch source, so its time column is unknown.",
                fix="Give it one; a push source takes it as batch_source.",
            )
        mapping = source.field_mapping or {}
        return cls(
            view=view,
            keys={column.name: column.dtype.to_value_type() for column in view.entity_columns},
            features={feature.name: feature.dtype.to_value_type() for feature in view.features},
            time=mapping.get(source.timestamp_field, source.timestamp_field),
            created=mapping.get(
                source.created_timestamp_column, source.created_timestamp_column or None
            ),
        )

    @property
    def time_columns(self) -> set[str]:
        """Columns that hold times, under the source's names and under the view's."""
        source = self.view.batch_source
        names = (source.timestamp_field, source.created_timestamp_column, self.time, self.created)
        return {name for name in names if name}


@dataclass(frozen=True)
class Rows:
    """Encoded rows.

    Attributes:
        keys: Entity keys.
        times: Event timestamps in microseconds.
        created: When the rows were made, in microseconds; None where that is not known.
        values: Per feature: the serialised values.
    """

    keys: list[bytes]
    times: Any
    created: list[int | None]
    values: dict[str, list[bytes]]


def tidy(layout: Layout, table: Table) -> pa.Table:
    """The table's columns under the view's names, with the newest row of each key.

    Of rows with the same time, the one created last counts, else the one that comes last.

    Raises:
        DataError: A column is missing, or a key or a time is null.
    """
    arrow = as_arrow(table)
    mapping = layout.view.batch_source.field_mapping or {}
    arrow = arrow.rename_columns([mapping.get(name, name) for name in arrow.column_names])
    needed = [*layout.keys, *layout.features, layout.time]
    if DUMMY_ENTITY_ID in layout.keys and DUMMY_ENTITY_ID not in arrow.column_names:
        same = pa.array([DUMMY_ENTITY_VAL] * arrow.num_rows, pa.string())
        arrow = arrow.append_column(DUMMY_ENTITY_ID, same)
    missing = [name for name in needed if name not in arrow.column_names]
    if missing:
        raise DataError(
            f"The rows for feature view {layout.view.name!r} lack {', '.join(missing)}; "
            f"they have {', '.join(arrow.column_names)}.",
            fix="Add these columns, or give a field_mapping in the view's source.",
        )
    for name in (*layout.keys, layout.time):
        if nulls := arrow[name].null_count:
            raise DataError(
                f"Column {name!r} of feature view {layout.view.name!r} is null in {nulls} rows.",
                fix="Leave out rows without a key or a time.",
            )
    if layout.created and layout.created in arrow.column_names:
        needed.append(layout.created)
    arrow = _in_microseconds(layout, arrow.select(needed))
    return _newest(layout, arrow)


def chunks(layout: Layout, table: pa.Table, tail: bytes, rows: int) -> Iterator[Rows]:
    """Encodes the table piece by piece."""
    encoder = KeyEncoder(layout.keys, tail)
    for start in range(0, table.num_rows, rows):
        part = table.slice(start, rows)
        column = {name: _array(part[name]) for name in part.column_names}
        created: list[int | None] = [None] * part.num_rows
        if layout.created in column:
            created = column[layout.created].cast(pa.int64()).to_pylist()
        yield Rows(
            keys=_keys(layout, encoder, column),
            times=column[layout.time].cast(pa.int64()).to_numpy(),
            created=created,
            values={
                name: encode.values(name, column[name], kind)
                for name, kind in layout.features.items()
            },
        )


def _keys(layout: Layout, encoder: KeyEncoder, column: dict[str, pa.Array]) -> list[bytes]:
    columns = []
    for name in encoder.names:
        kind, array = layout.keys[name], column[name]
        if kind not in ENCODERS:
            raise DataError(
                f"Join key {name!r} is of type {kind.name}, which Feast cannot store online.",
                fix=f"Use one of {', '.join(known.name for known in ENCODERS)}.",
            )
        if kind is ValueType.UNIX_TIMESTAMP and pa.types.is_timestamp(array.type):
            columns.append(encode.seconds(array).tolist())
        else:
            columns.append(converter(name, kind)(array.to_pylist())[0])
    composite = len(columns) > 1
    try:
        rows = zip(*columns, strict=True) if composite else columns[0]
        return encoder.each(rows, composite=composite)
    except struct.error as error:
        raise DataError(
            f"A join key of feature view {layout.view.name!r} does not fit its type: {error}.",
            fix="Declare the entity as INT64, or correct the rows.",
        ) from error


def as_arrow(table: Table) -> pa.Table:
    """The table as Arrow, with types that every part of Arrow can handle."""
    if isinstance(table, pl.DataFrame):
        return table.to_arrow(compat_level=pl.CompatLevel.oldest())
    if isinstance(table, pa.RecordBatch):
        return pa.Table.from_batches([table])
    return table


def _array(column: pa.ChunkedArray) -> pa.Array:
    whole = column.combine_chunks()
    if isinstance(whole, pa.ChunkedArray):  # more than fits one array, or none at all
        return pa.concat_arrays(whole.chunks) if whole.chunks else pa.array([], whole.type)
    return whole


def _in_microseconds(layout: Layout, table: pa.Table) -> pa.Table:
    for name in (layout.time, layout.created):
        if name is None or name not in table.column_names:
            continue
        kind = table[name].type
        if not (pa.types.is_timestamp(kind) or pa.types.is_date(kind)):
            raise DataError(
                f"Column {name!r} of feature view {layout.view.name!r} holds {kind}, not times.",
                fix="Cast it to a timestamp in UTC.",
            )
        zone = kind.tz if pa.types.is_timestamp(kind) else None
        moments = table[name].cast(pa.timestamp("us", zone), safe=False)
        place = table.column_names.index(name)
        table = table.set_column(place, name, moments)
    return table


def _newest(layout: Layout, table: pa.Table) -> pa.Table:
    keys = list(layout.keys)
    order = [layout.time]
    if layout.created in table.column_names:
        order.append(str(layout.created))
    frame = pl.from_arrow(table.select(list(dict.fromkeys([*keys, *order]))))
    assert isinstance(frame, pl.DataFrame)
    if frame.select(keys).n_unique() == frame.height:
        return table
    kept = (
        frame.with_row_index("__row")
        .sort(order, maintain_order=True, nulls_last=False)
        .unique(subset=keys, keep="last", maintain_order=True)
        .get_column("__row")
        .sort()
    )
    return table.take(kept.to_arrow())
