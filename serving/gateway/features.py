"""The features of a batch of rows, read online or, when the store is down, without it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from headrace.feature_store.online.errors import OnlineStoreError
from headrace.feature_store.online.result import Rows, Status
from headrace.serving.gateway.config import State
from headrace.serving.gateway.service import Service

#: Seconds after which the store counts as slow, and for how long it then does.
_SLOW, _CAREFUL = 0.02, 1.0
_STATES = {
    int(Status.NOT_FOUND): State.UNKNOWN,
    int(Status.OUTSIDE_MAX_AGE): State.STALE,
}

Columns = Mapping[str, list[Any]]


@dataclass(slots=True)
class Features:
    """What is known about each row.

    Attributes:
        now: The moment for which features were asked, in seconds since 1970.
        values: Everything by name: what the caller brought and what the store gave.
        views: State and event timestamp of each row, by view.
        outage: Why the store could not be read; empty when it was.
    """

    now: float
    values: Columns
    views: Mapping[str, Rows]
    outage: str = ""

    def state(self, view: str, row: int) -> State:
        """Why a feature of that view has no value in a row."""
        if self.outage:
            return State.UNAVAILABLE
        rows = self.views.get(view)
        return _STATES.get(rows.states[row], State.MISSING) if rows else State.MISSING


class FeatureReading:
    """Reads at once while the store is quick, in threads while it is not.

    A quick look-up takes less time than handing it to a thread; a slow one would keep all other
    requests waiting.
    """

    def __init__(self, threads: int = 8) -> None:
        """Prepares.

        Args:
            threads: Batches that wait for a slow store at the same time.
        """
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="read")
        self._careful_until = 0.0

    async def read(self, service: Service, columns: Columns, rows: int, now: float) -> Features:
        """Features of rows; an unreachable store is no error here, but makes them unavailable."""
        start = time.monotonic()
        try:
            if start >= self._careful_until and service.reader.fallback is None:
                return _read(service, columns, rows, now)
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, _read, service, columns, rows, now)
        finally:
            end = time.monotonic()
            if end - start > _SLOW:
                self._careful_until = end + _CAREFUL

    def close(self) -> None:
        """Ends the threads."""
        self._threads.shutdown(wait=False)


def _read(service: Service, columns: Columns, rows: int, now: float) -> Features:
    asked = {name: _given(columns[name]) for name in service.asked}
    try:
        found = service.reader.read(asked)
    except OnlineStoreError as error:
        values = {**columns, **asked, **_without_store(service, asked, rows)}
        return Features(now, values, {}, error.message)
    values = {**columns, **dict(zip(found.names, found.values, strict=True))}
    return Features(found.now, values, {about.view: about for about in found.views})


def _given(values: list[Any]) -> list[Any]:
    """Text keys may be missing; no entity has an empty one."""
    return ["" if value is None else value for value in values] if None in values else values


def _without_store(service: Service, asked: Columns, rows: int) -> dict[str, list[Any]]:
    """The features that can be computed from the request alone; the others are None."""
    nothing: list[Any] = [None] * rows
    values: dict[str, list[Any]] = dict.fromkeys(service.features, nothing)
    for plan in service.reader.plan.on_demand:
        inputs = dict(asked)
        for _, _, names in plan.inputs:
            inputs |= dict.fromkeys(names, nothing)
        values |= plan(inputs, rows)
    return values


def slices(values: Sequence[Any], start: int, end: int) -> Sequence[Any]:
    """A request's part of a batch; the whole when it is all there is."""
    return values if end - start == len(values) else values[start:end]
