"""From messages to events, with what cannot be used put aside."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import polars as pl

from headrace.feature_store.rolling.definition import EVENT_ID, KNOWN_AT
from headrace.feature_store.streaming.events import EventSchema, UnreadableEvent
from headrace.feature_store.streaming.source import DeadLetter, Entry


@dataclass(frozen=True)
class Intake:
    """A batch of messages, read.

    Attributes:
        events: Those that could be read, in order.
        entries: The first message of each event id.
        unreadable: The others.
    """

    events: pl.DataFrame
    entries: dict[str, Entry]
    unreadable: list[DeadLetter]

    def late(self, events: pl.DataFrame) -> list[DeadLetter]:
        """The messages of late events."""
        return [
            DeadLetter(self.entries[name], f"late: {moment.isoformat()} is before the watermark")
            for name, moment in events.select(EVENT_ID, KNOWN_AT).iter_rows()
        ]

    def waited(self, events: pl.DataFrame, now: float) -> list[float]:
        """Seconds since the messages of events arrived."""
        return [max(0.0, now - self.entries[name].arrived) for name in events[EVENT_ID]]


def read(schema: EventSchema, entries: Sequence[Entry], latest: datetime) -> Intake:
    """Reads messages; one that cannot be read never stops the others.

    Args:
        schema: Columns and types.
        entries: The messages.
        latest: An event known after this comes from a wrong clock, and would make all later ones
            late.
    """
    rows: list[tuple[Any, ...]] = []
    by_id: dict[str, Entry] = {}
    unreadable: list[DeadLetter] = []
    for entry in entries:
        try:
            row = schema.decode(entry.payload)
            if row[2] > latest:
                raise UnreadableEvent(f"{KNOWN_AT} is in the future: {row[2].isoformat()}.")
        except UnreadableEvent as error:
            unreadable.append(DeadLetter(entry, f"unreadable: {error}"))
        else:
            rows.append(row)
            by_id.setdefault(row[0], entry)
    return Intake(schema.frame(rows), by_id, unreadable)
