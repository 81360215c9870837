"""The request's rows, checked and in the form that the reader needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from feast.feature_view import DUMMY_ENTITY_VAL
from feast.value_type import ValueType

from headrace.feature_store.online.errors import FeatureRequestError
from headrace.feature_store.online.keys import convert
from headrace.feature_store.online.plan import ReadPlan, dummy_key

Entities = Mapping[str, Sequence[Any]] | Sequence[Mapping[str, Any]]


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
    given: Mapping[str, Sequence[Any]]


def parse(plan: ReadPlan, entities: Entities) -> Request:
    """Checks a request.

    Raises:
        FeatureRequestError: Rows differ in their columns, or something is missing or unusable.
    """
    given = entities if isinstance(entities, Mapping) else _columns(entities)
    count = _count(given, entities)
    request = Request(count, {}, {}, {}, given)
    for column, values in given.items():
        name = plan.renames.get(column, column)
        if column in plan.request_data:
            request.data[column] = list(values)
        elif name in plan.join_keys:
            kind = plan.join_keys[name]
            known = kind is not ValueType.UNKNOWN and not dummy_key(name)
            raw, shown = convert(name, kind, values) if known and count else (values, list(values))
            request.keys[name], request.echo[name] = raw, shown
    _complete(plan, request)
    return request


def _complete(plan: ReadPlan, request: Request) -> None:
    """Adds the key of views without entities, and refuses what still lacks something."""
    missing = plan.request_data - request.data.keys()
    for group in plan.groups:
        for name in group.asked:
            if dummy_key(name):
                request.keys[name] = [DUMMY_ENTITY_VAL] * request.rows
            elif name not in request.keys:
                missing |= {name}
    if missing:
        raise FeatureRequestError(
            f"The request lacks {', '.join(map(repr, sorted(missing)))}; "
            f"it has {', '.join(map(repr, request.given)) or 'no columns'}.",
            fix="Give each join key, and each input of on-demand views, for every row.",
        )


def _columns(rows: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    names = rows[0].keys() if rows else ()
    if any(row.keys() != names for row in rows):
        raise FeatureRequestError(
            "The rows of the request differ in their columns.",
            fix="Give the same names in each row.",
        )
    return {name: [row[name] for row in rows] for name in names}


def _count(given: Mapping[str, Sequence[Any]], entities: Entities) -> int:
    if not isinstance(entities, Mapping):
        return len(entities)
    lengths = {name: len(values) for name, values in given.items()}
    if len(set(lengths.values())) > 1:
        raise FeatureRequestError(
            f"The request's columns differ in length: {lengths}.",
            fix="Give one value per row in each column.",
        )
    return next(iter(lengths.values()), 1)
