"""The events that open windows need, and the rows that new events change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import polars as pl

from headrace.feature_store.rolling.definition import EVENT_ID, KIND, KNOWN_AT, RollingView
from headrace.feature_store.rolling.engine import compute, in_order, recent, touched
from headrace.feature_store.streaming.events import MOMENT, EventSchema

#: Columnar data in many pieces is slow to scan.
_MANY_CHUNKS = 16
#: Finding the batch's entities first pays from here on.
_LARGE = 8_192


@dataclass(frozen=True)
class Admitted:
    """A batch, sorted out.

    Attributes:
        events: What counts, in the order of arrival.
        duplicates: How many were there before.
        late: Events that came after the watermark had passed them.
    """

    events: pl.DataFrame
    duplicates: int
    late: pl.DataFrame


@dataclass(frozen=True)
class Processed:
    """What a batch did.

    Attributes:
        rows: New and changed rows by view; views without any are left out.
        admitted: The batch, sorted out.
    """

    rows: dict[str, pl.DataFrame]
    admitted: Admitted


class RollingState:
    """The events of the longest window and the allowed lateness, in order.

    Which events are late does not depend on how they were cut into batches: each is compared with
    the events before it. Wherever the same events arrive in the same order, the same are accepted.
    (A repetition of an event that no window needs any more is late instead of a duplicate.)

    Attributes:
        views: What is computed.
        lateness: How much older than the newest event before it an event may be.
    """

    def __init__(
        self, views: Sequence[RollingView], schema: EventSchema, lateness: timedelta
    ) -> None:
        self.views = list(views)
        self.lateness = lateness
        self._horizon = max((view.horizon for view in views), default=timedelta(0))
        self._events = schema.frame()
        self._ids: set[str] = set()
        self._newest: datetime | None = None

    @property
    def watermark(self) -> datetime | None:
        """Older events are late."""
        return None if self._newest is None else self._newest - self.lateness

    @property
    def reach(self) -> timedelta:
        """How far before the newest event its state reaches."""
        return self.lateness + self._horizon

    @property
    def since(self) -> datetime | None:
        """Older events are not needed any more."""
        return None if self._newest is None else self._newest - self.reach

    def __len__(self) -> int:
        return self._events.height

    def process(self, new: pl.DataFrame) -> Processed:
        """Takes in a batch of events as they arrived, and computes the rows that they change."""
        admitted = self.admit(new)
        return Processed(self.absorb(admitted.events), admitted)

    def admit(self, new: pl.DataFrame) -> Admitted:
        """Sorts out duplicates and late events; changes nothing."""
        known = pl.Series([name in self._ids for name in new[EVENT_ID]], dtype=pl.Boolean)
        fresh = new.filter(~known).unique(EVENT_ID, keep="first", maintain_order=True)
        before = pl.col(KNOWN_AT).cum_max().shift(1)
        floor = pl.lit(self._newest, dtype=MOMENT)
        late = pl.col(KNOWN_AT) < pl.max_horizontal(before, floor) - self.lateness
        late = late.fill_null(False)
        return Admitted(fresh.filter(~late), new.height - fresh.height, fresh.filter(late))

    def absorb(self, accepted: pl.DataFrame) -> dict[str, pl.DataFrame]:
        """Takes in events that were admitted; returns the rows that they add or change."""
        if accepted.is_empty():
            return {}
        new = in_order(accepted)
        late = self._newest is not None and _earliest(new) < self._newest
        self._insert(new)
        rows = {view.name: self._changed(view, new, late) for view in self.views}
        self._evict()
        return {name: frame for name, frame in rows.items() if not frame.is_empty()}

    def restore(self, events: pl.DataFrame) -> None:
        """Takes in events whose rows are known to be written."""
        if not events.is_empty():
            self._insert(in_order(events))
            self._evict()

    def _changed(self, view: RollingView, new: pl.DataFrame, late: bool) -> pl.DataFrame:
        since = _earliest(new) - view.horizon
        own = pl.col(KIND).is_in(view.triggers)
        events = recent(self._events, since).filter(own)
        if events.height > _LARGE:
            keys = list(view.keys)
            events = events.join(
                new.filter(own).select(keys).unique(), on=keys, how="semi", maintain_order="left"
            )
        # Only an event that comes after younger ones changes rows that are there already.
        if late:
            return compute(view, events, touched(view, events, new))
        return compute(view, events, new.filter(own).drop_nulls(list(view.keys)))

    def _insert(self, new: pl.DataFrame) -> None:
        """Only what comes after the first new event has to be sorted again."""
        at = self._events[KNOWN_AT].search_sorted(_earliest(new), side="left")
        later = self._events.slice(at)
        tail = new if later.is_empty() else in_order(pl.concat([later, new]))
        self._events = pl.concat([self._events.head(at), tail], rechunk=False)
        self._ids.update(new[EVENT_ID])
        newest = self._events[KNOWN_AT][-1]
        self._newest = newest if self._newest is None else max(self._newest, newest)

    def _evict(self) -> None:
        kept = recent(self._events, self.since) if self.since else self._events
        gone = self._events.head(self._events.height - kept.height)
        self._ids.difference_update(gone[EVENT_ID])
        self._events = kept.rechunk() if kept.n_chunks() > _MANY_CHUNKS else kept


def _earliest(events: pl.DataFrame) -> datetime:
    first: datetime = events[KNOWN_AT][0]
    return first
