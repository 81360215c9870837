"""The work of ``feature_builder``: ingested tables to one labelled table."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from headrace.components.shared import files, project_code
from headrace.components.shared.checks import check_features, check_label, check_types
from headrace.components.shared.config.data import Features
from headrace.components.shared.config.project import Label
from headrace.components.shared.errors import ConfigError, DataError, ProjectCodeError
from headrace.components.shared.text import nearest

FILE = "features.py"


def run(
    *,
    tables: Path,
    code: Mapping[str, str],
    label: Mapping[str, Any],
    features: Mapping[str, Any],
    table: Path,
) -> pl.DataFrame:
    """Runs ``build_features`` of the project, or passes a single source through.

    Args:
        tables: Folder of ``<source>.parquet``.
        code: The project's files; without ``features.py`` there must be exactly one source.
        label: Keys of :class:`Label`.
        features: Keys of :class:`Features`.
        table: Parquet file to write.

    Returns:
        The labelled table.

    Raises:
        ProjectCodeError: ``features.py`` raises or returns something else than a table.
        DataError: the table is empty, a column that the project names is missing, or a label or
            feature cannot be learnt from.
    """
    sources = {path.stem: pl.read_parquet(path) for path in sorted(tables.glob("*.parquet"))}
    result = _build(sources, code)
    result = _checked(
        result, Label.parse(label, where="label"), Features.parse(features, where="features")
    )
    with files.writing(table):
        table.parent.mkdir(parents=True, exist_ok=True)
        result.write_parquet(table, compression="zstd")
    return result


def _build(sources: dict[str, pl.DataFrame], code: Mapping[str, str]) -> pl.DataFrame:
    if FILE not in code:
        if len(sources) != 1:
            raise ConfigError(
                f"The project has {len(sources)} sources and no {FILE} that joins them.",
                fix=f"Write {FILE} with `build_features(tables)`, or keep one source.",
            )
        return next(iter(sources.values()))
    with project_code.importable(code) as folder:
        build = project_code.load_function(folder, FILE, "build_features")
        with project_code.blamed_on(folder, FILE, hint=f"Tables: {_shapes(sources)}."):
            result = build(sources)
    if not isinstance(result, pl.DataFrame):
        raise ProjectCodeError(
            f"build_features returned {type(result).__name__}; a polars DataFrame was expected.",
            fix=f"Return a DataFrame from {FILE}.",
        )
    return result


def _checked(table: pl.DataFrame, label: Label, features: Features) -> pl.DataFrame:
    if table.is_empty():
        raise DataError("The labelled table has no rows.", fix=f"Check {FILE} and the sources.")
    named = {label.column: "label.column"}
    named |= dict.fromkeys(features.exclude, "features.exclude")
    named |= dict.fromkeys(features.known_at, "features.known_at")
    named |= dict.fromkeys(features.known_at.values(), "features.known_at")
    if features.prediction_time:
        named[features.prediction_time] = "features.prediction_time"
    for column, key in named.items():
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


def _shapes(sources: dict[str, pl.DataFrame]) -> str:
    return ", ".join(f"{name} {table.shape}" for name, table in sources.items())
