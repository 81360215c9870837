"""Rows to ask features for: entities that are known, that have expired, and that nobody knows."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import numpy as np
import polars as pl
from feast import FeatureStore
from feast.feature_view import DUMMY_ENTITY_ID
from feast.types import from_value_type
from feast.value_type import ValueType

from headrace.components.shared.errors import ConfigError
from headrace.feature_store.online.plan import KeyGroup, ReadPlan, make_plan, resolve
from headrace.feature_store.quality.pulls import BEGINNING, TIME, latest_keys

KNOWN, EXPIRED, UNKNOWN = "known", "expired", "unknown"
#: How many of the rows ask for what. Expired ones are known where none has expired.
SHARES = {KNOWN: 0.8, EXPIRED: 0.1, UNKNOWN: 0.1}
SEED = 17

#: Expired entities are looked for in so many times the ttl, so that not all history is read.
_LOOKBACK = 4
_EXPIRED = "__expired"


def sample(
    store: FeatureStore, service: str, count: int, now: dt.datetime, *, seed: int = SEED
) -> pl.DataFrame:
    """Draws rows of join keys and request fields; the same seed and sources give the same rows.

    Entities come from the views' sources as of ``now``. Keys that occur together in the key of a
    view are drawn together. Request fields are random numbers: give real requests to
    :func:`~headrace.feature_store.quality.skew.compare` when functions on demand need sense.

    Args:
        store: Feast's feature store.
        service: The feature service to ask for.
        count: How many rows.
        now: The moment at which entities are known or expired.
        seed: Of the draw.

    Raises:
        ConfigError: a request field is of a type that cannot be made up.
    """
    plan = make_plan(store, resolve(store, service), full_feature_names=True)
    chance = np.random.default_rng(seed)
    kinds = chance.choice(list(SHARES), size=count, p=list(SHARES.values()))
    columns: dict[str, list[Any]] = {}
    for entities in _together(store, plan, now):
        drawn = _draw(entities, kinds, chance)
        for name in drawn.columns:
            columns.setdefault(name, drawn[name].to_list())
    _make_unknown(columns, plan, kinds, chance)
    columns |= _requests(store, plan, count, chance)
    return pl.DataFrame(columns)


def _together(store: FeatureStore, plan: ReadPlan, now: dt.datetime) -> Iterator[pl.DataFrame]:
    """The entities of each widest set of join keys, with whether a view of theirs has expired."""
    groups = [group for group in plan.groups if DUMMY_ENTITY_ID not in group.asked]
    found = [_entities(store, group, now) for group in groups]
    found.sort(key=lambda entities: -entities.width)
    covered: set[str] = set()
    for wide in found:
        if covered >= {*wide.columns} - {_EXPIRED}:
            continue
        covered |= {*wide.columns} - {_EXPIRED}
        for narrow in found:
            keys = [name for name in narrow.columns if name != _EXPIRED]
            if narrow is not wide and {*keys} <= {*wide.columns}:
                more = wide.join(narrow, on=keys, how="left", maintain_order="left")
                both = pl.col(_EXPIRED) | pl.col(f"{_EXPIRED}_right").fill_null(False)
                wide = more.with_columns(both.alias(_EXPIRED)).drop(f"{_EXPIRED}_right")
        yield wide


def _entities(store: FeatureStore, group: KeyGroup, now: dt.datetime) -> pl.DataFrame:
    """The entities of views with the same keys, under the names that a request uses."""
    found = []
    for view in group.views:
        ttl = dt.timedelta(microseconds=view.ttl) if view.ttl else None
        since = max(BEGINNING, now - _LOOKBACK * ttl) if ttl else BEGINNING
        rows = latest_keys(store, view.view, since, now)
        old = pl.col(TIME) < now - ttl if ttl else pl.lit(False)
        found.append(rows.select(*group.kinds, old.alias(_EXPIRED)))
    keys = list(group.kinds)
    rows = pl.concat(found).group_by(keys).agg(pl.col(_EXPIRED).any()).sort(keys)
    return rows.rename(dict(zip(keys, group.asked, strict=True)))


def _draw(entities: pl.DataFrame, kinds: Any, chance: np.random.Generator) -> pl.DataFrame:
    current = entities.filter(~pl.col(_EXPIRED)).drop(_EXPIRED)
    expired = entities.filter(_EXPIRED).drop(_EXPIRED)
    if entities.is_empty():
        return pl.DataFrame({name: [None] * len(kinds) for name in current.columns})
    places = chance.random(len(kinds))
    # A kind of which there are none is drawn from the other.
    wants_expired = ((kinds == EXPIRED) & bool(expired.height)) | (not current.height)
    take = np.where(
        wants_expired,
        current.height + (places * expired.height).astype(int),
        (places * current.height).astype(int),
    )
    return pl.concat([current, expired])[take]


def _make_unknown(
    columns: dict[str, list[Any]], plan: ReadPlan, kinds: Any, chance: np.random.Generator
) -> None:
    """Replaces one key of each unknown row, and whatever no source has a value for."""
    names = [name for name in columns if plan.join_keys[name] in _STRANGERS]
    changed = chance.integers(0, max(1, len(names)), size=len(kinds))
    for row, kind in enumerate(kinds):
        for number, name in enumerate(names):
            chosen = kind == UNKNOWN and changed[row] == number
            if chosen or columns[name][row] is None:
                columns[name][row] = _STRANGERS[plan.join_keys[name]](row)


#: Join keys that no source has, by row.
_STRANGERS: dict[ValueType, Any] = {
    ValueType.STRING: lambda row: f"unknown {row}",
    ValueType.BYTES: lambda row: f"unknown {row}".encode(),
    ValueType.INT32: lambda row: -(1 << 31) + row,
    ValueType.INT64: lambda row: -(1 << 63) + row,
}


def _requests(
    store: FeatureStore, plan: ReadPlan, count: int, chance: np.random.Generator
) -> dict[str, list[Any]]:
    if not plan.request_data:
        return {}
    fields = {
        field.name: field.dtype.to_value_type()
        for view in store.list_on_demand_feature_views()
        for source in view.source_request_sources.values()
        for field in source.schema
    }
    return {name: _values(name, fields[name], count, chance) for name in sorted(plan.request_data)}


def _values(name: str, kind: ValueType, count: int, chance: np.random.Generator) -> list[Any]:
    # Whole numbers may be Unix times, so they span what those span.
    if kind in (ValueType.INT64, ValueType.INT32):
        return chance.integers(0, (1 << 31) - 1, size=count).tolist()  # type: ignore[no-any-return]
    if kind in (ValueType.DOUBLE, ValueType.FLOAT):
        return chance.random(count).astype(np.float32).astype(float).tolist()  # type: ignore[no-any-return]
    if kind is ValueType.BOOL:
        return (chance.random(count) < 0.5).tolist()  # type: ignore[no-any-return]
    if kind is ValueType.STRING:
        return [f"text {number}" for number in chance.integers(0, 100, size=count)]
    raise ConfigError(
        f"The request field {name!r} is of type {from_value_type(kind)}, which cannot be made up.",
        fix="Give rows of real requests to compare.",
    )
