"""What to join from a feature view, in terms of its source's columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import polars as pl
from feast import FeatureView

from headrace.components.shared.errors import DataError
from headrace.feature_store.offline import times
from headrace.feature_store.offline.sources import Place, locate, reading


@dataclass(frozen=True)
class View:
    """A feature view's part of a join.

    Attributes:
        place: Where its rows are.
        scan: The same, to be read.
        schema: Types of the source's columns.
        keys: Column of the entity frame to column of the source.
        features: Column of the result to column of the source.
        event: The source's column that says when.
        created: The source's column that says since when the row exists.
        ttl: How old a row may be; None for any age.
    """

    place: Place
    scan: pl.LazyFrame
    schema: dict[str, pl.DataType]
    keys: dict[str, str]
    features: dict[str, str]
    event: str
    created: str | None
    ttl: timedelta | None

    @property
    def owner(self) -> str:
        """The view, for messages."""
        return self.place.owner


def open_view(
    view: FeatureView, references: Sequence[str], repo: Path | str | None, full_names: bool
) -> View:
    """Looks into a view's source and finds the columns that a request needs.

    Args:
        view: The feature view with the projection that was asked for.
        references: All references of the request.
        repo: The folder that relative paths are relative to.
        full_names: Whether results are named ``view__feature``.

    Raises:
        ConfigError: the source is not one of files.
        SourceError: it cannot be read.
        DataError: it lacks a column.
    """
    used = view.projection.name_to_use()
    place = locate(view.batch_source, repo, f"Feature view {used!r}")
    source = view.batch_source
    assert source is not None
    scan = place.scan()
    columns = _Columns(place, schema_of(scan, place), dict(source.field_mapping or {}))
    prefix = f"{view.projection.name_alias or view.name}__" if full_names else ""
    renamed = view.projection.join_key_map
    prefix_used = f"{used}:"
    names = [item.removeprefix(prefix_used) for item in references if item.startswith(prefix_used)]
    return View(
        place=place,
        scan=scan,
        schema=columns.schema,
        keys={
            renamed.get(entity.name, entity.name): columns.find(entity.name, "join key")
            for entity in view.entity_columns
        },
        features={prefix + name: columns.find(name, "feature") for name in dict.fromkeys(names)},
        event=columns.time(source.timestamp_field, "timestamp_field"),
        created=(
            columns.time(source.created_timestamp_column, "created_timestamp_column")
            if source.created_timestamp_column
            else None
        ),
        ttl=view.ttl or None,
    )


def schema_of(scan: pl.LazyFrame, place: Place) -> dict[str, pl.DataType]:
    """Names and types of a source's columns."""
    with reading(place):
        return dict(scan.collect_schema())


@dataclass(frozen=True)
class _Columns:
    """Finds a source's columns by the names that a feature view uses."""

    place: Place
    schema: dict[str, pl.DataType]
    mapping: dict[str, str]

    def find(self, name: str, role: str) -> str:
        """The column that is, or is mapped to, ``name``."""
        mapped = (column for column, feature in self.mapping.items() if feature == name)
        column = next((item for item in mapped if item in self.schema), name)
        require(self.place, self.schema, [column], role)
        return column

    def time(self, name: str, role: str) -> str:
        """The same for a timestamp."""
        column = self.find(name, role)
        require_time(self.place, self.schema, column, role)
        return column


def require(place: Place, schema: dict[str, pl.DataType], names: Sequence[str], role: str) -> None:
    """Checks that a source has columns.

    Raises:
        DataError: one is missing.
    """
    missing = next((name for name in names if name not in schema), None)
    if missing is not None:
        raise DataError(
            f"{place.owner} expects the {role} column {missing!r} in {place.path}; "
            f"its columns are {', '.join(map(repr, schema))}.",
            fix="Add the column to the source, or name the one that it has: in the view's schema, "
            "or with the source's `field_mapping={column: name}`.",
        )


def require_time(place: Place, schema: dict[str, pl.DataType], name: str, role: str) -> None:
    """Checks that a column of a source holds timestamps.

    Raises:
        DataError: it does not.
    """
    if not times.is_time(schema[name]):
        raise DataError(
            f"{place.owner} expects timestamps in the {role} column {name!r} of {place.path}; "
            f"its type is {schema[name]}.",
            fix="Write the column as a timestamp, in microseconds UTC.",
        )
