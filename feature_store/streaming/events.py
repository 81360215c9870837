"""Events as the consumer holds them: one row with known columns and types, read from JSON."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING, Any

import orjson
import polars as pl

from headrace.components.shared.errors import ConfigError
from headrace.feature_store.rolling.definition import EVENT_ID, KIND, KNOWN_AT, RollingView

if TYPE_CHECKING:
    from feast import FeatureStore

#: All moments are microseconds in UTC.
MOMENT = pl.Datetime("us", "UTC")
# Windows reach back from an event and clocks ahead of it; both must stay dates.
_EPOCH, _END = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
_LOWEST, _HIGHEST = -(2**63), 2**63 - 1
_KEY_TYPES: dict[str, type] = {"String": str, "Int32": int, "Int64": int}
_NAMES = {str: "text", int: "an integer"}


class UnreadableEvent(ValueError):
    """A payload is not an event; the message says why."""


@dataclass(frozen=True)
class EventSchema:
    """The columns of events that a set of rolling views reads.

    Attributes:
        keys: Join-key columns and their types, `str` or `int`.
        values: Integer columns.
    """

    keys: dict[str, type]
    values: tuple[str, ...]

    @cached_property
    def polars(self) -> dict[str, Any]:
        """The schema of a frame of events."""
        types = {str: pl.String, int: pl.Int64}
        keys = {name: types[kind] for name, kind in self.keys.items()}
        head = {EVENT_ID: pl.String, KIND: pl.String, KNOWN_AT: MOMENT}
        return {**head, **keys, **dict.fromkeys(self.values, pl.Int64)}

    def frame(self, rows: Iterable[Sequence[Any]] = ()) -> pl.DataFrame:
        """A frame of decoded rows."""
        return pl.DataFrame(list(rows), schema=self.polars, orient="row")

    def conform(self, events: pl.DataFrame) -> pl.DataFrame:
        """A table of events with exactly these columns and types; missing columns are null."""
        present = set(events.columns)
        return events.select(
            (pl.col(name) if name in present else pl.lit(None, dtype=kind)).cast(kind).alias(name)
            for name, kind in self.polars.items()
        )

    def decode(self, payload: bytes) -> tuple[Any, ...]:
        """Reads one JSON object.

        Returns:
            The values in the order of the columns; columns that it does not have are null.

        Raises:
            UnreadableEvent: it is not JSON, or a field is missing or of another type.
        """
        try:
            event = orjson.loads(payload)
        except orjson.JSONDecodeError as error:
            raise UnreadableEvent(f"It is not JSON: {error}.") from None
        if not isinstance(event, dict):
            raise UnreadableEvent("It is not a JSON object.")
        event_id, kind = (_required_text(event, name) for name in (EVENT_ID, KIND))
        row = [event_id, kind, _moment(event.get(KNOWN_AT))]
        for name, expected in self._types:
            value = event.get(name)
            if value is not None and type(value) is not expected:
                raise UnreadableEvent(f"{name} must be {_NAMES[expected]}, not {value!r}.")
            if isinstance(value, int) and not _LOWEST <= value <= _HIGHEST:
                raise UnreadableEvent(f"{name} does not fit into 64 bits: {value!r}.")
            row.append(value)
        return tuple(row)

    @cached_property
    def _types(self) -> list[tuple[str, type]]:
        return [*self.keys.items(), *((name, int) for name in self.values)]


def encode(events: pl.DataFrame) -> list[bytes]:
    """One JSON object per event, without nulls, `known_at` in microseconds since 1970."""
    plain = events.with_columns(pl.col(KNOWN_AT).dt.epoch("us"))
    return [
        orjson.dumps({name: value for name, value in event.items() if value is not None})
        for event in plain.iter_rows(named=True)
    ]


def event_schema(store: FeatureStore, views: Sequence[RollingView]) -> EventSchema:
    """Finds the columns of events in the views' definitions and their entities' types.

    Raises:
        ConfigError: there are no views, or a key is neither text nor an integer.
    """
    if not views:
        raise ConfigError(
            f"Project {store.project!r} has no rolling views: no feature view has the tag.",
            fix="Declare them with headrace.feature_store.rolling.registry.feature_view, then "
            "`feast apply`.",
        )
    keys: dict[str, type] = {}
    for view in views:
        for column in store.get_feature_view(view.name).entity_columns:
            keys[column.name] = _key_type(view.name, column.name, column.dtype)
    columns = {s.column: None for view in views for s in view.statistics if s.column}
    return EventSchema(keys, tuple(columns))


def _key_type(view: str, name: str, dtype: Any) -> type:
    kind = _KEY_TYPES.get(str(dtype).removeprefix("Primitive."))
    if kind is None:
        raise ConfigError(
            f"View {view!r} is keyed by {name!r} of type {dtype}; events carry text or integers.",
            fix="Give the entity value_type STRING or INT64.",
        )
    return kind


def _required_text(event: dict[str, Any], name: str) -> str:
    value = event.get(name)
    if not isinstance(value, str) or not value:
        raise UnreadableEvent(f"{name} must be text, not {value!r}.")
    return value


def _moment(value: Any) -> datetime:
    try:
        if type(value) is int:
            moment = _EPOCH + timedelta(microseconds=value)
        else:
            moment = datetime.fromisoformat(value)
    except (TypeError, ValueError, OverflowError):
        raise UnreadableEvent(
            f"{KNOWN_AT} must be an ISO time or microseconds since 1970, not {value!r}."
        ) from None
    if moment.tzinfo is None:
        raise UnreadableEvent(f"{KNOWN_AT} needs a time zone: {value!r}.")
    if not _EPOCH <= moment < _END:
        raise UnreadableEvent(f"{KNOWN_AT} must be from {_EPOCH:%Y} to {_END:%Y}, not {value!r}.")
    return moment.astimezone(UTC)
