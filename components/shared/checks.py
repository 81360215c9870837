"""What must hold before rows become examples: types, values and the label."""

from __future__ import annotations

import numpy as np
import polars as pl

from headrace.components.shared.config.project import Label
from headrace.components.shared.errors import DataError

#: Features travel as 32-bit floats; what does not fit would become infinite.
_LARGEST = float(np.finfo(np.float32).max)
_TEXTS = (pl.String, pl.Categorical, pl.Enum)


def check_types(table: pl.DataFrame) -> None:
    """Refuses columns that are neither numbers, texts, booleans nor times.

    Raises:
        DataError: with the column and its type.
    """
    for name, kind in table.schema.items():
        simple = kind.is_numeric() or kind in (pl.Boolean, pl.Date, pl.Datetime, pl.Null)
        if not (simple or kind in _TEXTS):
            raise DataError(
                f"Column {name!r} is {kind}; a column holds numbers, texts, booleans or times.",
                fix="Turn it into one of these, or drop it, in features.py.",
            )


def check_label(values: pl.Series, label: Label, *, where: str) -> None:
    """Refuses labels that are missing, not numbers, not finite, or of one class.

    Args:
        values: The label of some rows.
        label: What it should be.
        where: What to call these rows in the message.

    Raises:
        DataError: with the place and what was found there.
    """
    if values.null_count() == len(values):
        raise DataError(
            f"{where}: all {len(values):,} values are missing.",
            fix="Check the label's column in the source and in features.py.",
        )
    if not (values.dtype.is_numeric() or values.dtype == pl.Boolean):
        raise DataError(
            f"{where}: {values.dtype} is not a number.",
            fix="Turn it into 0 and 1, or into a number, in features.py.",
        )
    missing = values.null_count()
    if missing:
        raise DataError(
            f"{where}: {missing:,} of {len(values):,} values are missing.",
            fix="Drop unlabelled rows with `where` or in features.py.",
        )
    if values.dtype.is_float() and not values.is_finite().all():
        raise DataError(f"{where}: NaN or infinite values.", fix="Drop or correct those rows.")
    _check_classes(values, label, where)


def _check_classes(values: pl.Series, label: Label, where: str) -> None:
    found = sorted(values.unique().cast(pl.Float64).to_list())[:20]
    if label.task == "binary_classification" and not set(found) <= {0.0, 1.0}:
        shown = ", ".join(f"{value:g}" for value in found[:5])
        raise DataError(
            f"{where}: values {shown}{', …' if len(found) > 5 else ''}; a binary label is 0 or 1.",
            fix="Set `label.task: regression`, or derive a 0/1 column in features.py.",
        )
    if len(found) < 2:
        raise DataError(
            f"{where}: only the value {found[0]:g} occurs, so there is nothing to learn.",
            fix="Check the label's definition and the limits under `split`.",
        )


def check_features(table: pl.DataFrame, names: list[str]) -> pl.DataFrame:
    """Refuses features without any value or with infinite ones; NaN becomes missing.

    Raises:
        DataError: with the column and the first row.
    """
    for name in names:
        column = table[name]
        if column.dtype.is_float():
            column = column.fill_nan(None)
            infinite = (column.abs() > _LARGEST).arg_true()
            if len(infinite):
                raise DataError(
                    f"Feature {name!r}, row {int(infinite[0]) + 1}: {column[int(infinite[0])]:g} "
                    f"is infinite or too large ({len(infinite):,} such values).",
                    fix="Correct the source, or turn them into missing values in features.py.",
                )
            table = table.with_columns(column)
        if column.null_count() == table.height:
            raise DataError(
                f"Feature {name!r} has no value in any of {table.height:,} rows.",
                fix="Correct the source, or list it under `features.exclude`.",
            )
    return table
