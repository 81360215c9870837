"""A request for features, checked when it is made and answered when its result is wanted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import pyarrow as pa
from feast import FeatureView, OnDemandFeatureView
from feast.infra.offline_stores.offline_store import RetrievalMetadata
from feast.utils import compute_non_entity_date_range

from headrace.components.shared.errors import DataError
from headrace.feature_store.offline.entities import (
    EVENT_TIMESTAMP,
    Entities,
    entities_between,
)
from headrace.feature_store.offline.join import Options, join
from headrace.feature_store.offline.keys import matched
from headrace.feature_store.offline.views import View


@dataclass(frozen=True)
class Request:
    """What to join to what.

    Attributes:
        views: The views to join.
        asked: The references that were asked for, in order.
        names: Column of the result by reference.
        entities: The rows that ask, or None for all rows of ``span``.
        span: The first and last moment.
        options: How to join.
    """

    views: Sequence[View]
    asked: Sequence[str]
    names: dict[str, str]
    entities: Entities | None
    span: tuple[datetime | None, datetime | None]
    options: Options

    @property
    def columns(self) -> list[str]:
        """The result's columns: those of the entity frame, then features as asked for."""
        given = self.entities.table.column_names if self.entities else [EVENT_TIMESTAMP, *self.keys]
        return [*given, *dict.fromkeys(self.names[reference] for reference in self.asked)]

    @property
    def keys(self) -> list[str]:
        """The entity frame's columns except its time; without a frame, the join keys."""
        if self.entities:
            return self.entities.keys
        return list(dict.fromkeys(key for view in self.views for key in view.keys))

    @property
    def metadata(self) -> RetrievalMetadata:
        """What Feast keeps of a retrieval that it saves."""
        return RetrievalMetadata(list(self.asked), self.keys, *self.span)

    def check(self) -> None:
        """Checks what can be checked without reading rows.

        Raises:
            DataError: join keys do not fit, or two columns of the result have one name.
        """
        if self.entities:
            schema = self.entities.schema(self.keys)
            for view in self.views:
                matched(view, schema)
        computed = {self.names[reference] for reference in self.asked}
        joined = [name for view in self.views for name in view.features]
        given = self.entities.table.column_names if self.entities else [EVENT_TIMESTAMP, *self.keys]
        names = [*given, *joined, *computed.difference(joined)]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise DataError(
                f"The result would have two columns {twice!r}: of the entity frame, of the "
                "features, or of what on-demand views need.",
                fix="Ask with `full_feature_names=True`, or rename the entity frame's column.",
            )

    def retrieve(self) -> pa.Table:
        """The entity columns and everything that was joined, also what on-demand views need."""
        entities, options = self.entities, self.options
        if entities is None:
            start, end = self.span
            assert start is not None and end is not None
            entities = entities_between(self.views, start, end)
            options = replace(options, since=start)
        return join(entities, self.views, options)


def span_without_entities(
    views: Sequence[FeatureView], start: datetime | None, end: datetime | None
) -> tuple[datetime, datetime]:
    """Feast's span for a retrieval without entity frame: the longest ttl, or 30 days, to now."""
    first, last = compute_non_entity_date_range(list(views), start_date=start, end_date=end)
    return first.astimezone(UTC), last.astimezone(UTC)


def result_names(
    references: Sequence[str],
    views: Sequence[FeatureView],
    on_demand: Sequence[OnDemandFeatureView],
    full_names: bool,
) -> dict[str, str]:
    """The result's column for each reference ``view:feature``."""
    prefixes = {
        view.projection.name_to_use(): view.projection.name_alias or view.name for view in views
    }
    prefixes |= {view.projection.name_to_use(): view.projection.name_to_use() for view in on_demand}
    names = {}
    for reference in references:
        view, _, feature = reference.rpartition(":")
        names[reference] = f"{prefixes.get(view, view)}__{feature}" if full_names else feature
    return names
