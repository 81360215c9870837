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
        self._brought = {n: _TYPES.get(k, pa.string()) for n, k in kinds.items() if self._kept(n)}
        features = service.features.values() if service else ()
        self._features = {f.name: f for f in features if self._kept(f.name)}

    def table(self, records: Sequence[Record]) -> pa.Table:
        """The records' rows."""
        columns: dict[str, pa.Array] = self._about(records)
        for name, kind in self._brought.items():
            values = [v for record in records for v in _brought(record, name)]
            self._add(columns, name, values, kind)
        for name, feature in self._features.items():
            values = [v for record in records for v in _served(record, name)]
            self._add(columns, name, values, _TYPES.get(feature.kind, pa.string()))
            states = [s for record in records for s in _statuses(record, name, feature.view)]
            columns[f"{name}__status"] = pa.array(states, pa.string()).dictionary_encode()
            times = [t for record in records for t in _times(record, feature.view)]
            columns[f"{name}__timestamp"] = pa.array(times, _TIME)
        for name in self._outputs:
            values = [v for record in records for v in _output(record, name)]
            columns[f"__output_{name}"] = pa.array(values)
        return pa.table(columns)

    def _kept(self, name: str) -> bool:
        return self._how.get(name) != "leave_out"

    def _add(self, columns: dict[str, pa.Array], name: str, values: list[Any], kind: Any) -> None:
        if self._how.get(name) == "hash":
            hashed = [None if value is None else self._hashed(value) for value in values]
            columns[f"{name}__hashed"] = pa.array(hashed, pa.string())
        elif kind == pa.string():
            columns[name] = pa.array([_text(value) for value in values], kind)
        else:
            columns[name] = pa.array(values, kind)

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


def _brought(record: Record, name: str) -> Sequence[Any]:
    if record.answer is None:
        return record.columns[name]
    # As the feature store was asked, so that the log can be compared with it.
    answer = record.answer
    return answer.batch.features.values[name][answer.start : answer.end]


def _served(record: Record, name: str) -> Sequence[Any]:
    answer = record.answer
    if answer is None:
        return [None] * record.rows
    values = list(answer.batch.features.values[name][answer.start : answer.end])
    for place, flags in enumerate(answer.batch.served.flags[answer.start : answer.end]):
        flag = flags.get(name)
        if flag is not None and flag.action is Action.DEFAULT:
            values[place] = answer.batch.served.inputs[name][answer.start + place]
    return values


def _statuses(record: Record, name: str, view: str) -> Sequence[str]:
    answer = record.answer
    if answer is None:
        return [""] * record.rows
    features = answer.batch.features
    if features.outage:
        return [_UNAVAILABLE] * record.rows
    rows, values = features.views.get(view), features.values[name]
    return [
        Status.NULL_VALUE.name
        if values[row] is None and (rows is None or rows.states[row] == Status.PRESENT)
        else Status(rows.states[row]).name
        if rows is not None
        else Status.PRESENT.name
        for row in range(answer.start, answer.end)
    ]


def _times(record: Record, view: str) -> Sequence[int | None]:
    rows = record.answer.batch.features.views.get(view) if record.answer else None
    if rows is None or record.answer is None:
        return [None] * record.rows
    return [time or None for time in rows.times[record.answer.start : record.answer.end]]


def _output(record: Record, name: str) -> Sequence[Any]:
    answer = record.answer
    if answer is None:
        return [None] * record.rows
    return answer.batch.outputs[name][answer.start : answer.end]


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


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, default=str)
