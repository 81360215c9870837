"""Requests and answers as Feast's feature server has them, so that its clients work unchanged."""

from __future__ import annotations

import base64
import datetime as dt
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from headrace.feature_store.online.errors import FeatureRequestError
from headrace.feature_store.online.result import OnlineFeatures, Rows, Status

_NO_TIME = "1970-01-01T00:00:00Z"
_NAMES = {int(status): status.name for status in Status}
_PRESENT, _NULL = _NAMES[Status.PRESENT], _NAMES[Status.NULL_VALUE]
_MICRO = 1_000_000


@dataclass(frozen=True, slots=True)
class FeaturesRequest:
    """What ``/get-online-features`` is asked.

    Attributes:
        features: A feature service's name, or references.
        entities: Columns of join keys and of inputs of on-demand views.
        full: Whether names have the form ``view__feature``.
        versions: Whether the answer names the views' versions.
    """

    features: str | tuple[str, ...]
    entities: Mapping[str, Sequence[Any]]
    full: bool
    versions: bool


def parse_json(body: bytes) -> dict[str, Any]:
    """The request's body.

    Raises:
        FeatureRequestError: It is no JSON object.
    """
    try:
        found = json.loads(body)
    except ValueError as error:
        raise FeatureRequestError(
            f"The body of the request is no JSON: {error}.", fix="Send a JSON object."
        ) from error
    if not isinstance(found, dict):
        raise _wrong("The body", "an object", found)
    return found


def parse_features(body: Mapping[str, Any]) -> FeaturesRequest:
    """Checks what ``/get-online-features`` is asked.

    Raises:
        FeatureRequestError: Something is missing or of a wrong type.
    """
    entities = body.get("entities")
    if not isinstance(entities, dict) or not all(isinstance(v, list) for v in entities.values()):
        raise _wrong("'entities'", "an object of lists, one per join key", entities)
    service, features = body.get("feature_service"), body.get("features") or []
    if service is not None and not isinstance(service, str):
        raise _wrong("'feature_service'", "a string", service)
    if not isinstance(features, list) or not all(isinstance(name, str) for name in features):
        raise _wrong("'features'", "a list of strings", features)
    if not service and not features:
        raise FeatureRequestError(
            "The request asks for no features.",
            fix="Give 'feature_service', or 'features' as a list of view:feature.",
        )
    return FeaturesRequest(
        features=service or tuple(features),
        entities=entities,
        full=bool(body.get("full_feature_names")),
        versions=bool(body.get("include_feature_view_version_metadata")),
    )


def answer(
    found: OnlineFeatures, versions: Sequence[Mapping[str, Any]] | None = None
) -> tuple[bytes, int]:
    """The answer as JSON, and how many values in it are not there."""
    results, missing = [], 0
    stamps = [[_stamp(time) for time in rows.times] for rows in found.views]
    states = [_states(rows) for rows in found.views]
    for values, source in zip(found.values, found.sources, strict=True):
        if source is None:
            own, times = [_PRESENT] * len(values), [_NO_TIME] * len(values)
        else:
            own, times = states[source], stamps[source]
        if None in values:
            own = [
                _NULL if value is None and state is _PRESENT else state
                for value, state in zip(values, own, strict=True)
            ]
            missing += values.count(None)
        results.append({"values": values, "statuses": own, "event_timestamps": times})
    metadata: dict[str, Any] = {"feature_names": found.names}
    if versions is not None:
        metadata["feature_view_metadata"] = versions
    return encode({"results": results, "metadata": metadata}, missing), missing


def encode(content: Any, nulls: int = 0) -> bytes:
    """JSON; numbers that JSON does not have become strings, as in protobuf's JSON.

    Args:
        content: What to encode.
        nulls: How many None are in it.
    """
    try:
        text = _dumps(content)
        # orjson writes null for NaN and infinity, which are rare.
        return text if text.count(b"null") <= nulls else _dumps(_finite(content))
    except orjson.JSONEncodeError:  # numbers of more than 64 bits, keys of dicts that are no text
        return json.dumps(_finite(content), separators=(",", ":"), default=_plain).encode()


def _dumps(content: Any) -> bytes:
    return orjson.dumps(content, _plain, orjson.OPT_PASSTHROUGH_DATETIME)


def parse_table(columns: Any) -> pa.Table:
    """The ``df`` of a push: columns as lists, or as pandas' ``DataFrame.to_dict`` gives them.

    Raises:
        FeatureRequestError: These are no columns.
    """
    if not isinstance(columns, dict) or not columns:
        raise _wrong("'df'", "an object of lists, one per column", columns)
    lists = {
        name: list(values.values()) if isinstance(values, dict) else values
        for name, values in columns.items()
    }
    try:
        return pa.table(lists)
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise FeatureRequestError(
            f"'df' is no table: {error}", fix="Give lists of the same length and of one type each."
        ) from error


def with_times(table: pa.Table, names: Iterable[str]) -> pa.Table:
    """The table with these columns as times; JSON has them as text in ISO 8601.

    Raises:
        FeatureRequestError: A text is no time.
    """
    for name in names:
        if name not in table.column_names or not pa.types.is_string(table[name].type):
            continue
        try:
            moments = [text and _moment(text) for text in table[name].to_pylist()]
        except ValueError as error:
            raise FeatureRequestError(
                f"Column {name!r} holds something that is no time: {error}.",
                fix="Give times as ISO 8601, such as 2013-07-01T12:00:00Z.",
            ) from error
        column = pa.array(moments, pa.timestamp("us", "UTC"))
        table = table.set_column(table.column_names.index(name), name, column)
    return table


def _moment(text: str) -> dt.datetime:
    found = dt.datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=dt.UTC)


def _states(rows: Rows) -> list[str]:
    return [_NAMES[state] for state in rows.states]


@lru_cache(1 << 14)
def _stamp(time: int) -> str:
    """As protobuf's JSON has it: UTC, with as many groups of three decimals as needed.

    Rows that were materialised together share their times.
    """
    if not time:
        return _NO_TIME
    seconds, rest = divmod(time, _MICRO)
    text = dt.datetime.fromtimestamp(seconds, tz=dt.UTC).isoformat()[:19]
    if not rest:
        return f"{text}Z"
    return f"{text}.{rest:06d}Z" if rest % 1000 else f"{text}.{rest // 1000:03d}Z"


def _plain(value: Any) -> Any:
    """What JSON has no form for."""
    if isinstance(value, dt.datetime):
        return int(value.timestamp())
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    if isinstance(value, set | frozenset | tuple):
        return list(value)
    return str(value)  # UUID, Decimal


def _finite(value: Any) -> Any:
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_finite(item) for item in value]
    return value


def _wrong(what: str, expected: str, got: Any) -> FeatureRequestError:
    return FeatureRequestError(
        f"{what} must be {expected}, but got {type(got).__name__}.",
        fix="See the request formats of Feast's feature server.",
    )
