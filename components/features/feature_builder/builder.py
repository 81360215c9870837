"""The work of ``feature_builder``: ingested tables to a label table and the sources of features."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import polars as pl

from headrace.components.shared import files, project_code
from headrace.components.shared.errors import ConfigError, DataError, ProjectCodeError
from headrace.feature_store.rolling import engine
from headrace.feature_store.rolling.definition import (
    CREATED,
    EVENT_ID,
    EVENT_TIMESTAMP,
    KIND,
    KNOWN_AT,
    RollingView,
)

FILE = "features.py"
#: The file of a Feast repository that defines its rolling views as ``VIEWS``.
ROLLING_FILE = "rolling.py"
#: Names that tables have in the result: the rows to learn from, and what happened.
LABELS, EVENTS = "labels", "events"
_PART = "part-0.parquet"

Frames = dict[str, pl.DataFrame]


def run(
    *, tables: Path, code: Mapping[str, str], repo_code: Mapping[str, str], built: Path
) -> dict[str, int]:
    """Runs ``build_features`` of the project, or passes a single source through.

    Args:
        tables: Folder of ``<source>.parquet``.
        code: The project's files; without ``features.py`` there must be exactly one source.
        repo_code: The Feast repository's files; its rolling views are computed from the events.
        built: Folder to write: ``labels.parquet`` and one folder of Parquet files per source.

    Returns:
        Rows of each table.

    Raises:
        ProjectCodeError: ``features.py`` or ``rolling.py`` raises or gives something unexpected.
        DataError: there are no labelled rows, or the events cannot be computed with.
    """
    sources = {path.stem: pl.read_parquet(path) for path in sorted(tables.glob("*.parquet"))}
    modules = {name: text for name, text in repo_code.items() if name == ROLLING_FILE}
    with project_code.importable({**code, **modules}) as folder:
        frames = _build(sources, code, folder)
        views = _rolling_views(folder) if modules else []
        frames |= _computed(views, frames, folder)
    if frames[LABELS].is_empty():
        raise DataError("The labelled table has no rows.", fix=f"Check {FILE} and the sources.")
    with files.writing(built):
        for name, frame in frames.items():
            path = built / f"{LABELS}.parquet" if name == LABELS else built / name / _PART
            path.parent.mkdir(parents=True, exist_ok=True)
            frame.write_parquet(path, compression="zstd", compression_level=1)
    return {name: frame.height for name, frame in frames.items()}


def _build(sources: Frames, code: Mapping[str, str], folder: Path) -> Frames:
    if FILE not in code:
        if len(sources) != 1:
            raise ConfigError(
                f"The project has {len(sources)} sources and no {FILE} that joins them.",
                fix=f"Write {FILE} with `build_features(tables)`, or keep one source.",
            )
        return {LABELS: next(iter(sources.values()))}
    build = project_code.load_function(folder, FILE, "build_features")
    with project_code.blamed_on(folder, FILE, hint=f"Tables: {_shapes(sources)}."):
        result = build(sources)
    if isinstance(result, pl.DataFrame):
        return {LABELS: result}
    if not isinstance(result, dict) or not isinstance(result.get(LABELS), pl.DataFrame):
        raise ProjectCodeError(
            f"build_features returned {_described(result)}; a polars DataFrame was expected, or "
            f"a dictionary of them with {LABELS!r}.",
            fix=f"Return the labelled rows from {FILE}.",
        )
    return result


def _rolling_views(folder: Path) -> list[RollingView]:
    module = project_code.load_module(folder, ROLLING_FILE)
    views = getattr(module, "VIEWS", None)
    if not isinstance(views, list) or not all(isinstance(view, RollingView) for view in views):
        raise ProjectCodeError(
            f"{ROLLING_FILE} has no list VIEWS of RollingView.",
            fix="Define it, or give the file another name.",
        )
    return views


def _computed(views: list[RollingView], frames: Frames, folder: Path) -> Frames:
    if not views:
        return {}
    events = frames.get(EVENTS)
    if events is None:
        raise ProjectCodeError(
            f"{ROLLING_FILE} defines rolling views, and build_features returned no {EVENTS!r}.",
            fix=f"Return a table {EVENTS!r} with {EVENT_ID}, {KIND} and {KNOWN_AT} from {FILE}.",
        )
    columns = {EVENT_ID, KIND, KNOWN_AT}
    columns |= {key for view in views for key in view.keys}
    columns |= {s.column for view in views for s in view.statistics if s.column}
    lost = sorted(columns - set(events.columns))
    if lost:
        raise DataError(
            f"The table {EVENTS!r} lacks {', '.join(lost)}, which {ROLLING_FILE} names.",
            fix=f"Add them in {FILE}, or correct {ROLLING_FILE}.",
        )
    events = engine.in_order(events)
    with project_code.blamed_on(folder, ROLLING_FILE):
        rows = {view.name: engine.compute(view, events) for view in views}
    return {
        # A row computed in bulk is as good as one computed when its event came.
        name: frame.with_columns(pl.col(EVENT_TIMESTAMP).alias(CREATED))
        for name, frame in rows.items()
    }


def _described(result: object) -> str:
    if isinstance(result, dict):
        return f"a dictionary of {', '.join(map(repr, result)) or 'nothing'}"
    return type(result).__name__


def _shapes(sources: Frames) -> str:
    return ", ".join(f"{name} {table.shape}" for name, table in sources.items())
