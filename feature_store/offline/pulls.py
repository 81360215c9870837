"""Pulling rows out of one source, for materialization and for saved datasets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import polars as pl
import pyarrow as pa
from feast.feature_logging import LOG_TIMESTAMP_FIELD
from feast.feature_view import DUMMY_ENTITY_ID, DUMMY_ENTITY_VAL

from headrace.feature_store.offline import times
from headrace.feature_store.offline.asof import part
from headrace.feature_store.offline.join import count_passes, count_rows
from headrace.feature_store.offline.sources import Place, reading
from headrace.feature_store.offline.views import require, require_time, schema_of

_AT = "__at"


@dataclass(frozen=True)
class Pull:
    """Which rows and columns of a source to read; all names are the source's.

    Attributes:
        place: The source.
        keys: The join keys.
        features: The features; none means all columns.
        event: When rows happened.
        created: When rows were made, if the source says so.
        start: The first moment; None for the beginning.
        end: The last moment; None for the end.
        max_rows: How many rows to hold at once to find the latest of each key.
    """

    place: Place
    keys: Sequence[str]
    features: Sequence[str]
    event: str
    created: str | None
    start: datetime | None
    end: datetime | None
    max_rows: int

    def rows(self) -> pa.Table:
        """All rows of the time."""
        with reading(self.place):
            return self._finish(self._scan().collect(engine="streaming"))

    def latest(self) -> pa.Table:
        """The latest row of each key: by time, then by creation, then by place in the source."""
        scan = self._scan()
        if not self.keys:
            return self._finish(self._best(scan))
        with reading(self.place):
            passes = count_passes(count_rows(self.place.scan()), scan, self.max_rows)
        parts = [self._best(scan.filter(part(self.keys, n, passes))) for n in range(passes)]
        return self._finish(pl.concat(parts))

    def _best(self, scan: pl.LazyFrame) -> pl.DataFrame:
        with reading(self.place):
            rows = scan.collect(engine="streaming")
        order = [self.event, *([self.created] if self.created else [])]
        ranked = (
            rows.select(*self.keys, *order)
            .with_row_index(_AT)
            .sort(order, maintain_order=True, nulls_last=False)
        )
        if self.keys:
            ranked = ranked.unique(list(self.keys), keep="last", maintain_order=True)
        return rows.select(pl.all().gather((ranked if self.keys else ranked.tail(1))[_AT]))

    def _scan(self) -> pl.LazyFrame:
        scan = self.place.scan()
        schema = schema_of(scan, self.place)
        require(self.place, schema, self.keys, "join key")
        require(self.place, schema, self.features, "feature")
        moments = [self.event, *([self.created] if self.created else [])]
        for name in moments:
            require(self.place, schema, [name], "timestamp")
            require_time(self.place, schema, name, "timestamp")
        names = [*self.keys, *self.features, *moments] if self.features else [*schema]
        return scan.filter(
            times.within(self.event, schema[self.event], times.utc(self.start), times.utc(self.end))
        ).select(
            times.in_utc(name, schema[name]) if name in moments else pl.col(name)
            for name in dict.fromkeys(names)
        )

    def _finish(self, rows: pl.DataFrame) -> pa.Table:
        table = times.tidy(rows.to_arrow())
        # Online stores write views without join keys under this key. Logs are not for them.
        if not self.keys and self.event != LOG_TIMESTAMP_FIELD:
            dummy = pa.array([DUMMY_ENTITY_VAL] * table.num_rows, pa.string())
            table = table.append_column(DUMMY_ENTITY_ID, dummy)
        return table
