"""The request's rows, checked and in the form that the reader needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from feast.feature_view import DUMMY_ENTITY_ID, DUMMY_ENTITY_VAL
from feast.value_type import ValueType

from headrace.feature_store.online.errors import FeatureRequestError
from headrace.feature_store.online.keys import Converter, converter
from headrace.feature_store.online.plan import ReadPlan

Entities = Mapping[str, Sequence[Any]] | Sequence[Mapping[str, Any]]

#: Requests of one client have the same few columns; more combinations are not kept.
_SHAPES = 256


@dataclass(slots=True)
class Request:
    """A request's rows.

    Attributes:
        rows: How many.
        keys: Join keys by the request's names, as keys are encoded.
        echo: Join keys as the answer repeats them.
        data: What on-demand views need.
        given: What was given, by column.
    """

    rows: int
    keys: dict[str, Sequence[Any]]
    echo: dict[str, list[Any]]
    data: dict[str, list[Any]]
    given: dict[str, Sequence[Any]]


@dataclass(frozen=True, slots=True)
class _Shape:
    """What the columns of a request are.

    Attributes:
        keys: Column, join key and conversion (None: no look-up needs it) of each join key.
        data: Columns for on-demand views.
    """

    keys: Sequence[tuple[str, str, Converter | None]]
    data: Sequence[str]


class RequestParser:
    """Checks requests; what depends on their columns alone is worked out once."""

    def __init__(self, plan: ReadPlan) -> None:
        """Prepares to check requests for a plan."""
        self._plan = plan
        asked = {name for group in plan.groups for name in group.asked}
        self._needed = asked - {DUMMY_ENTITY_ID}
        self._entityless = DUMMY_ENTITY_ID in asked
        self._shapes: dict[tuple[str, ...], _Shape] = {}

    def parse(self, entities: Entities) -> Request:
        """Checks a request.

        Raises:
            FeatureRequestError: Rows differ in their columns, or something is missing or unusable.
        """
        if isinstance(entities, Mapping):
            given, count = dict(entities), _length(entities)
        else:
            given, count = _columns(entities), len(entities)
        names = tuple(given)
        shape = self._shapes.get(names) or self._shape(names)
        request = Request(count, {}, {}, {name: list(given[name]) for name in shape.data}, given)
        for column, name, convert in shape.keys:
            values = given[column]
            if convert is None or not count:
                request.echo[name] = request.keys[name] = list(values)
            else:
                request.keys[name], request.echo[name] = convert(values)
        if self._entityless:
            request.keys[DUMMY_ENTITY_ID] = [DUMMY_ENTITY_VAL] * count
        return request

    def _shape(self, names: tuple[str, ...]) -> _Shape:
        plan, keys = self._plan, []
        for column in names:
            name = plan.renames.get(column, column)
            if column not in plan.request_data and name in plan.join_keys:
                kind = plan.join_keys[name]
                known = kind is not ValueType.UNKNOWN and name != DUMMY_ENTITY_ID
                keys.append((column, name, converter(name, kind) if known else None))
        missing = self._needed - {name for _, name, _ in keys} | plan.request_data - {*names}
        if missing:
            raise FeatureRequestError(
                f"The request lacks {', '.join(map(repr, sorted(missing)))}; "
                f"it has {', '.join(map(repr, names)) or 'no columns'}.",
                fix="Give each join key, and each input of on-demand views, for every row.",
            )
        shape = _Shape(keys, [name for name in names if name in plan.request_data])
        if len(self._shapes) < _SHAPES:
            self._shapes[names] = shape
        return shape


def _columns(rows: Sequence[Mapping[str, Any]]) -> dict[str, Sequence[Any]]:
    if len(rows) == 1:
        return {name: [value] for name, value in rows[0].items()}
    names = rows[0].keys() if rows else ()
    if any(row.keys() != names for row in rows):
        raise FeatureRequestError(
            "The rows of the request differ in their columns.",
            fix="Give the same names in each row.",
        )
    return {name: [row[name] for row in rows] for name in names}


def _length(columns: Mapping[str, Sequence[Any]]) -> int:
    lengths = {name: len(values) for name, values in columns.items()}
    if len(set(lengths.values())) > 1:
        raise FeatureRequestError(
            f"The request's columns differ in length: {lengths}.",
            fix="Give one value per row in each column.",
        )
    return next(iter(lengths.values()), 1)
