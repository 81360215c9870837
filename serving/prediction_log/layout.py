"""The columns of the prediction log for one version of a model.

Features have their own names, with ``<feature>__status`` and ``<feature>__timestamp`` beside them,
as ``headrace features check --log`` reads them. What is about the request begins with two
underscores, as in Feast's own logs.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from pyarrow import compute

from headrace.feature_store.online.result import Status
from headrace.serving.gateway.config import Action
from headrace.serving.gateway.contract import Contract
from headrace.serving.gateway.features import Columns
from headrace.serving.gateway.predictor import Answer

_TIME = pa.timestamp("us", "UTC")
_TYPES = {
    "INT32": pa.int32(),
    "INT64": pa.int64(),
    "FLOAT": pa.float32(),
    "DOUBLE": pa.float64(),
    "FLOAT32": pa.float32(),
    "STRING": pa.string(),
    "BOOL": pa.bool_(),
    "UNIX_TIMESTAMP": _TIME,
}
#: What a value's status is called when the online store was down.
_UNAVAILABLE = "UNAVAILABLE"
_PRESENT = Status.PRESENT.name
_NAMES = {int(status): status.name for status in Status}
_HASH_LENGTH = 32

Protection = Mapping[str, str]


@dataclass(slots=True)
class Record:
    """A request that was answered, rejected or failed.

    Attributes:
        request_id: Its id.
        client: Who asked.
        time: When it came, in seconds since 1970.
        moment: For when features were asked.
        contract: The version that answered, or should have.
        columns: What the caller brought.
        rows: How many rows.
        seconds: How long it took.
        answer: The answer; None when there is none.
        error: Why there is none.
    """

    request_id: str
    client: str
    time: float
    moment: float
    contract: Contract
    columns: Columns
    rows: int
    seconds: float = 0.0
    answer: Answer | None = None
    error: str = ""


class Layout:
    """Turns records of one version into tables, which all have the same columns."""

    def __init__(
        self,
        contract: Contract,
        *,
        sensitive: Protection,
        columns: Protection,
        key: bytes,
    ) -> None:
        """Works out the columns.

        Args:
            contract: The version.
            sensitive: What to do with columns by their tag ``sensitivity``: hash or leave_out.
            columns: The same by name; wins over the tag.
            key: Of the hashes.
        """
        self._key = key
        self._outputs = contract.signature.outputs
        service = contract.service
        known = {**service.features, **service.asked} if service else {}
        self._how = {
            name: columns.get(name) or sensitive.get(column.sensitivity, "")
            for name, column in known.items()
        } | dict(columns)
        kinds = {field.name: field.kind for field in contract.form.fields}
        # Callers bring moments as whole seconds.
        self._brought = {
            name: "INT64" if kind == "UNIX_TIMESTAMP" else kind
            for name, kind in kinds.items()
            if self._kept(name)
        }
        features = service.features.values() if service else ()
        self._features = {f.name: f for f in features if self._kept(f.name)}
        self._views = {feature.view for feature in self._features.values()}

    def table(self, records: Sequence[Record]) -> pa.Table:
        """The records' rows."""
        parts = [_Part.of(record) for record in records]
        columns: dict[str, pa.Array] = self._about(records)
        for name, kind in self._brought.items():
            # As the feature store was asked, so that the log can be compared with it.
            self._add(columns, name, _column(parts, name), kind)
        views = {view: _about_view(parts, view) for view in self._views}
        for name, feature in self._features.items():
            states, times = views[feature.view]
            values = _column(parts, name)
            states = _with_nulls(states, values)
            self._add(columns, name, _with_defaults(parts, name, values), feature.kind)
            columns[f"{name}__status"] = states
            columns[f"{name}__timestamp"] = times
        for name in self._outputs:
            columns[f"__output_{name}"] = pa.array(_output(parts, name))
        return pa.table(columns)

    def _kept(self, name: str) -> bool:
        return self._how.get(name) != "leave_out"

    def _add(self, columns: dict[str, pa.Array], name: str, values: list[Any], kind: str) -> None:
        if self._how.get(name) == "hash":
            hashed = [None if value is None else self._hashed(value) for value in values]
            columns[f"{name}__hashed"] = pa.array(hashed, pa.string())
        elif kind in _TYPES:
            columns[name] = pa.array(values, _TYPES[kind])
        else:
            texts = [None if value is None else json.dumps(value, default=str) for value in values]
            columns[name] = pa.array(texts, pa.string())

    def _hashed(self, value: Any) -> str:
        digest = hmac.new(self._key, str(value).encode(), hashlib.sha256)
        return digest.hexdigest()[:_HASH_LENGTH]

    def _about(self, records: Sequence[Record]) -> dict[str, pa.Array]:
        def each(get: Callable[[Record], Any], kind: Any) -> pa.Array:
            return pa.array([v for r in records for v in [get(r)] * r.rows], kind)

        return {
            "__request_id": each(lambda r: r.request_id, pa.string()),
            "__row": pa.array([row for r in records for row in range(r.rows)], pa.int32()),
            "__log_timestamp": each(lambda r: round(r.time * 1e6), _TIME),
            "event_timestamp": each(lambda r: round(r.moment * 1e6), _TIME),
            "__client": each(lambda r: r.client, pa.string()),
            "__model": each(lambda r: r.contract.model, pa.string()),
            "__version": each(lambda r: r.contract.version, pa.int64()),
            "__signature": each(lambda r: r.contract.signature.name, pa.string()),
            "__latency_ms": each(lambda r: r.seconds * 1e3, pa.float64()),
            "__outcome": pa.array([o for r in records for o in _outcomes(r)], pa.string()),
            "__error": each(lambda r: r.error or None, pa.string()),
            "__defaulted": pa.array(
                [names for r in records for names in _defaulted(r)], pa.list_(pa.string())
            ),
        }


@dataclass(frozen=True, slots=True)
class _Part:
    """A record as rows of columns.

    Attributes:
        values: Columns that have its rows from ``start`` to before ``end``.
        answer: The answer, if there is one.
    """

    values: Columns
    start: int
    end: int
    answer: Answer | None

    @classmethod
    def of(cls, record: Record) -> _Part:
        answer = record.answer
        if answer is None:
            return cls(record.columns, 0, record.rows, None)
        return cls(answer.batch.features.values, answer.start, answer.end, answer)


def _column(parts: Sequence[_Part], name: str) -> list[Any]:
    """What is known under a name; None for features of requests that failed."""
    values: list[Any] = []
    for part in parts:
        column = part.values.get(name)
        values += (
            [None] * (part.end - part.start) if column is None else column[part.start : part.end]
        )
    return values


def _about_view(parts: Sequence[_Part], view: str) -> tuple[pa.Array, pa.Array]:
    """Status and event timestamp of each row of a view; computed features have no timestamp."""
    states: list[str] = []
    times: list[int | None] = []
    for part in parts:
        rows = part.end - part.start
        features = part.answer.batch.features if part.answer else None
        about = features.views.get(view) if features else None
        if about is not None:
            states += [_NAMES[state] for state in about.states[part.start : part.end]]
            times += [time or None for time in about.times[part.start : part.end]]
            continue
        plain = "" if features is None else _UNAVAILABLE if features.outage else _PRESENT
        states += [plain] * rows
        times += [None] * rows
    return pa.array(states, pa.string()), pa.array(times, _TIME)


def _with_nulls(states: pa.Array, values: Sequence[Any]) -> pa.Array:
    """The statuses of a feature, some of whose values are null in rows that are present."""
    if None not in values:
        return states
    null = pa.array([value is None for value in values])
    absent = compute.and_(null, compute.equal(states, _PRESENT))
    return compute.if_else(absent, Status.NULL_VALUE.name, states)


def _with_defaults(parts: Sequence[_Part], name: str, values: list[Any]) -> list[Any]:
    """The values as the model got them."""
    if None not in values:
        return values
    place = 0
    for part in parts:
        served = part.answer.batch.served if part.answer else None
        for row in range(part.start, part.end):
            flag = served.flags[row].get(name) if served else None
            if served and flag and flag.action is Action.DEFAULT:
                values[place] = served.inputs[name][row]
            place += 1
    return values


def _output(parts: Sequence[_Part], name: str) -> list[Any]:
    values: list[Any] = []
    for part in parts:
        if part.answer is None:
            values += [None] * (part.end - part.start)
        else:
            values += part.answer.batch.outputs[name][part.start : part.end]
    return values


def _outcomes(record: Record) -> Sequence[str]:
    answer = record.answer
    if answer is None:
        return ["failed"] * record.rows
    rejected = answer.batch.served.rejected
    return [
        "rejected" if row in rejected else "answered" for row in range(answer.start, answer.end)
    ]


def _defaulted(record: Record) -> Sequence[list[str]]:
    answer = record.answer
    if answer is None:
        return [[]] * record.rows
    return [
        [name for name, flag in flags.items() if flag.action is Action.DEFAULT]
        for flags in answer.batch.served.flags[answer.start : answer.end]
    ]
