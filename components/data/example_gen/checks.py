"""What must hold before rows become examples."""

from __future__ import annotations

import polars as pl
from headrace.components.shared.config.project import Label
from headrace.components.shared.errors import DataError


def check_label(parts: dict[str, pl.DataFrame], label: Label) -> None:
    """Refuses labels that are missing, not numbers, not finite, or of one class.

    Raises:
        DataError: with the split and what was found there.
    """
    for split, part in parts.items():
        values = part[label.column]
        where = f"Label {label.column!r}, split {split!r}"
        if not (values.dtype.is_numeric() or values.dtype == pl.Boolean):
            raise DataError(
                f"{where}: {values.dtype} is not a number.",
                fix="Turn it into 0 and 1, or into a number, in features.py.",
            )
        missing = values.null_count()
        if missing:
            raise DataError(
                f"{where}: {missing:,} of {part.height:,} values are missing.",
                fix="Drop unlabelled rows with `where` or in features.py.",
            )
        if values.dtype.is_float() and not values.is_finite().all():
            raise DataError(f"{where}: NaN or infinite values.", fix="Drop or correct those rows.")
        _check_classes(values, label, where)


def _check_classes(values: pl.Series, label: Label, where: str) -> None:
    found = sorted(values.unique().cast(pl.Float64).to_list()[:20])
    if label.task == "binary_classification" and not set(found) <= {0.0, 1.0}:
        raise DataError(
            f"{where}: values {found[:5]} …; a binary label is 0 or 1.",
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
            infinite = column.is_infinite().arg_true()
            if len(infinite):
                raise DataError(
                    f"Feature {name!r}, row {int(infinite[0]) + 1}: infinite "
                    f"({len(infinite):,} such values).",
                    fix="Correct the source, or turn them into missing values in features.py.",
                )
            column = column.fill_nan(None)
            table = table.with_columns(column)
        if column.null_count() == table.height:
            raise DataError(
                f"Feature {name!r} has no value in any of {table.height:,} rows.",
                fix="Correct the source, or list it under `features.exclude`.",
            )
    return table
