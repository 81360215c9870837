"""The labelled table: what must hold before anything is learnt from it."""

from __future__ import annotations

import polars as pl

from headrace.components.shared.checks import check_features, check_label, check_types
from headrace.components.shared.config.data import Features
from headrace.components.shared.config.project import Label
from headrace.components.shared.errors import DataError
from headrace.components.shared.text import nearest


def checked(table: pl.DataFrame, label: Label, features: Features) -> pl.DataFrame:
    """Refuses a table that lacks what the project names, or that cannot be learnt from.

    Returns:
        The table, with NaN features as missing values.

    Raises:
        DataError: with the column and the key of project.yaml.
    """
    for column, key in _named(label, features).items():
        if column not in table.columns:
            raise DataError(
                f"The labelled table has no column {column!r}, which {key} names.",
                fix=f"Correct project.yaml or the source. {nearest(column, table.columns)}",
            )
    times = {*features.known_at.values(), *filter(None, [features.prediction_time])}
    for column in sorted(times):
        if not table[column].dtype.is_temporal():
            raise DataError(
                f"Column {column!r} is {table[column].dtype}; features.known_at and "
                "features.prediction_time compare times.",
                fix="Parse it with a rule under sources.<name>.clean.timestamps.",
            )
    check_types(table)
    check_label(table[label.column], label, where=f"Label {label.column!r}")
    hidden = {label.column, *features.exclude, *features.known_after}
    return check_features(table, [name for name in table.columns if name not in hidden])


def _named(label: Label, features: Features) -> dict[str, str]:
    named = {label.column: "label.column"}
    named |= dict.fromkeys(features.exclude, "features.exclude")
    named |= dict.fromkeys(features.known_at, "features.known_at")
    named |= dict.fromkeys(features.known_at.values(), "features.known_at")
    if features.prediction_time:
        named[features.prediction_time] = "features.prediction_time"
    return named
