"""Join keys: one type on both sides, or a clear refusal."""

from __future__ import annotations

import polars as pl

from headrace.components.shared.errors import DataError
from headrace.feature_store.offline.asof import TIME, key
from headrace.feature_store.offline.times import MOMENT, in_utc, is_time
from headrace.feature_store.offline.views import View


def matched(view: View, labels: dict[str, pl.DataType]) -> tuple[list[pl.Expr], list[pl.Expr]]:
    """Expressions for a view's join keys, named alike, on the labels and on the source.

    Args:
        view: The view.
        labels: Types of the entity frame's columns.

    Raises:
        DataError: the entity frame lacks a key, or has it in a type that never equals the source's.
    """
    left, right = [], []
    for number, (name, column) in enumerate(view.keys.items()):
        if name not in labels:
            raise DataError(
                f"{view.owner} is joined by {name!r}, and the entity frame has no such column; "
                f"it has {', '.join(repr(column) for column in labels if column != TIME)}.",
                fix=f"Add {name!r} to the entity frame, or map the key to a column that it has "
                "with the view's `with_join_key_map`.",
            )
        common = _common(labels[name], view.schema[column])
        if common is None:
            raise DataError(
                f"{view.owner} is joined by {name!r}, which is {_told(labels[name])} in the entity "
                f"frame and {view.schema[column]} in column {column!r} of {view.place.path}: no "
                "value would match.",
                fix="Convert the entity frame's column to the source's type.",
            )
        left.append(_as(name, labels[name], common).alias(key(number)))
        right.append(_as(column, view.schema[column], common).alias(key(number)))
    return left, right


def _common(label: pl.DataType, source: pl.DataType) -> pl.DataType | None:
    """The type to compare two columns in, if any value of one can equal one of the other."""
    # A column of nothing but nulls has no type of its own.
    if label == pl.Null and source != pl.Null:
        return _common(source, source)
    if source == pl.Null and label != pl.Null:
        return _common(label, label)
    if label.is_integer() and source.is_integer():
        return label if label == source else pl.Int64()
    if label.is_float() and source.is_float():
        return pl.Float64()
    # pandas turns integers into floats where one is missing.
    if label.is_numeric() and source.is_numeric():
        return pl.Int64()
    if _is_text(label) and _is_text(source):
        # Text kept by number is compared by number; a string that no label has joins to nothing.
        return label if isinstance(label, pl.Enum) else pl.String()
    if is_time(label) and is_time(source):
        return MOMENT
    return source if label == source else None


def _is_text(kind: pl.DataType) -> bool:
    return kind in (pl.String, pl.Categorical, pl.Enum)


def _told(kind: pl.DataType) -> str:
    return "String" if _is_text(kind) else str(kind)


def _as(name: str, kind: pl.DataType, common: pl.DataType) -> pl.Expr:
    """A column in the common type; what does not fit is null, and joins to nothing."""
    if kind == common:
        return pl.col(name)
    if is_time(kind):
        return in_utc(name, kind)
    if isinstance(common, pl.Enum):
        return pl.col(name).cast(pl.String).cast(common, strict=False)
    if common.is_integer() and kind.is_numeric() and not kind.is_integer():
        whole = pl.col(name) == pl.col(name).floor()
        return pl.when(whole).then(pl.col(name)).cast(common, strict=False)
    return pl.col(name).cast(common, strict=False)
