"""A shop's events, and stand-ins for streams and stores that can fail where a test wants."""

from datetime import UTC, datetime, timedelta

import orjson
import pytest

from headrace.feature_store.rolling.definition import RollingView, Statistic, last, windows
from headrace.feature_store.streaming.events import EventSchema
from headrace.feature_store.streaming.source import Entry

NOON = datetime(2024, 5, 1, 12, tzinfo=UTC)
VIEWS = [
    RollingView(
        "shops", ("shop",), (*windows("shop", "sale", ["amount"], [1, 3]),), kinds=("opened",)
    ),
    RollingView(
        "tills",
        ("shop", "till"),
        (
            *windows("till", "sale", ["amount"], [2], function="sum"),
            Statistic("till_refunds_1h", "count", "refund", window=timedelta(hours=1)),
            *last({"last_amount": "amount"}),
        ),
    ),
]


class Shop:
    """What tests need of the shop."""

    views = VIEWS
    schema = EventSchema({"shop": str, "till": int}, ("amount",))
    noon = NOON

    def event(self, number, minute, kind="sale", shop="a", till=1, amount=10):
        return (f"{number:04d}", kind, NOON + timedelta(minutes=minute), shop, till, amount)

    def events(self, *rows):
        return self.schema.frame(rows)

    def payload(self, event):
        names = list(self.schema.polars)
        return orjson.dumps(dict(zip(names, event, strict=True)))

    def final(self, name, rows):
        """The rows that count at the end: of a key and moment, the last one."""
        view = next(view for view in VIEWS if view.name == name)
        keys = [*view.keys, "event_timestamp"]
        return {
            tuple(row[key] for key in keys): tuple(row[f] for f in view.features)
            for row in rows.to_dicts()
        }


class MemorySource:
    """A stream in memory: what is not committed is there again for the next consumer."""

    transient = (ConnectionError,)

    def __init__(self, payloads):
        self.entries = [Entry(at, payload, 0.0) for at, payload in enumerate(payloads)]
        self.committed = set()
        self.letters = []
        self.at = 0

    def open(self):
        self.at = 0

    def poll(self, most, seconds):
        waiting = [e for e in self.entries[self.at :] if e.position not in self.committed][:most]
        if waiting:
            self.at = waiting[-1].position + 1
        return waiting

    def commit(self, entries):
        self.committed.update(entry.position for entry in entries)

    def dead_letter(self, letters):
        self.letters += letters

    def close(self):
        pass


@pytest.fixture(scope="session")
def shop():
    return Shop()


@pytest.fixture(scope="session")
def memory_source():
    return MemorySource
