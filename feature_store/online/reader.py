"""Reading online features: what ``get_online_features`` gives, with offline meaning, and faster.

A row counts at the moment ``now`` when ``now - ttl <= event timestamp <= now``, as in a
point-in-time join. An older one is OUTSIDE_MAX_AGE and its values are None. One from the future,
and an unknown entity, are NOT_FOUND. A stored row without a value for a feature is NULL_VALUE.
"""

from __future__ import annotations

import logging
import struct
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from feast import FeatureStore
from feast.repo_config import RepoConfig
from google.protobuf.message import DecodeError

from headrace.feature_store.online import redis_store, sqlite_store
from headrace.feature_store.online.errors import OnlineStoreError
from headrace.feature_store.online.fallback import read_with_feast
from headrace.feature_store.online.keys import KeyEncoder
from headrace.feature_store.online.on_demand import OnDemandPlan
from headrace.feature_store.online.plan import KeyGroup, ReadPlan, ViewPlan, make_plan, resolve
from headrace.feature_store.online.request import Entities, Request, RequestParser
from headrace.feature_store.online.result import OnlineFeatures, Rows, Status

_LOGGER = logging.getLogger(__name__)
_PRESENT, _NOT_FOUND = int(Status.PRESENT), int(Status.NOT_FOUND)
_OLD = int(Status.OUTSIDE_MAX_AGE)


class Backend(Protocol):
    """What a store must be able to do."""

    #: Turns a stored event timestamp into microseconds since 1970.
    event_time: Callable[[Any], int]

    def __init__(self, config: RepoConfig, groups: Sequence[KeyGroup], connection: Any) -> None:
        """Prepares reading these groups."""

    @staticmethod
    def connect(config: RepoConfig, *, timeout: float) -> Any:
        """A connection, which many readers may share."""

    @staticmethod
    def check(config: RepoConfig, connection: Any) -> None:
        """Fails when the store does not answer."""

    @staticmethod
    def encoder(config: RepoConfig, group: KeyGroup) -> KeyEncoder:
        """How the store writes the keys of a group."""

    def read(self, keys: Sequence[Sequence[bytes]]) -> list[list[Sequence[Any]]]:
        """Per group and key: stored values and event timestamps, view by view."""


BACKENDS: Mapping[str, type[Backend]] = {
    "redis": redis_store.RedisReader,
    "sqlite": sqlite_store.SqliteReader,
}


class OnlineReader:
    """Reads one feature service, or one list of features, for many requests.

    Safe to use from several threads. Definitions are read once: make a new reader after
    ``feast apply``.

    Attributes:
        fallback: Why Feast's own reading is used instead of the fast one; None when it is not.
        fallbacks: How many requests Feast answered.
        plan: What is read.
        connection: To the store; None when Feast reads.
    """

    def __init__(
        self,
        store: FeatureStore,
        features: str | Sequence[str],
        *,
        now: Callable[[], float] = time.time,
        full_feature_names: bool = False,
        timeout: float = redis_store.READ_TIMEOUT,
        connection: Any = None,
    ) -> None:
        """Works out what to read and how.

        Args:
            store: Feast's feature store, whose registry and configuration count.
            features: The name of a feature service, or references ``view:feature``.
            now: The moment for which features are asked, in seconds since 1970.
            full_feature_names: Whether names have the form ``view__feature``.
            timeout: Seconds an answer of the store may take, unless its connection string says.
            connection: Of another reader of the same store, to share it.

        Raises:
            UnknownFeaturesError: The registry has no such service, view or feature.
        """
        self._store = store
        self._now = now
        self._full = full_feature_names
        self._features = resolve(store, features)
        self.plan: ReadPlan = make_plan(store, self._features, full_feature_names=self._full)
        self._parser = RequestParser(self.plan)
        self.fallback = self.plan.fallback
        self.fallbacks = 0
        self.connection: Any = None
        if self.fallback is not None:
            _LOGGER.warning(
                "Feast's slower reading is used for %s: %s. Values on which on-demand features "
                "depend are not checked for their age.",
                features,
                self.fallback,
            )
            return
        groups = self.plan.groups
        views = [view for group in groups for view in group.views]
        self._names = [name for name, _, _ in self.plan.outputs]
        self._places = [(view, place) for _, view, place in self.plan.outputs]
        self._sources = [view for _, view, _ in self.plan.outputs]
        self._inputs = {
            (view.name, feature): (number, place)
            for number, view in enumerate(views)
            for place, feature in enumerate(view.features)
        }
        self._nothing = [None] * max((len(view.features) for view in views), default=0)
        backend = BACKENDS[store.config.online_store.type]
        self._shared = connection is not None
        self.connection = connection or backend.connect(store.config, timeout=timeout)
        self._event_time = backend.event_time
        self._backend: Backend = backend(store.config, groups, self.connection)
        self._encoders: list[KeyEncoder] = [backend.encoder(store.config, g) for g in groups]

    def read(self, entities: Entities) -> OnlineFeatures:
        """Features of entities.

        Args:
            entities: Join keys (and what on-demand views need) as columns or as rows.

        Raises:
            FeatureRequestError: A join key is missing or unusable.
            OnlineStoreError: The store cannot be reached, is too slow or holds damaged values.
        """
        moment = self._now()
        request = self._parser.parse(entities)
        if self.fallback is not None:
            self.fallbacks += 1
            return read_with_feast(
                self._store, self._features, self.plan, request, moment, self._full
            )
        keys: list[list[bytes]] = []
        positions: list[list[int] | None] = []
        for group, encoder in zip(self.plan.groups, self._encoders, strict=True):
            unique, place = encoder.encode([request.keys[name] for name in group.asked])
            keys.append(unique)
            positions.append(place)
        found = self._backend.read(keys)
        try:
            return self._answer(request, found, positions, moment)
        except (IndexError, struct.error, UnicodeDecodeError, DecodeError) as error:
            raise OnlineStoreError(
                f"The online store holds bytes that are no feature value: {error}",
                fix="Materialise the feature views again; something else writes to this store.",
            ) from error

    def close(self) -> None:
        """Closes the connection to the store, unless it is another reader's."""
        if self.connection is not None and not self._shared:
            self.connection.close()

    def _answer(
        self,
        request: Request,
        found: Sequence[Sequence[Sequence[Any]]],
        positions: Sequence[list[int] | None],
        moment: float,
    ) -> OnlineFeatures:
        instant = round(moment * 1_000_000)
        rows: list[Rows] = []
        columns: list[list[list[Any]]] = []
        for group, replies, place in zip(self.plan.groups, found, positions, strict=True):
            start = 0
            for view in group.views:
                end = start + len(view.features)
                about, values = self._view(view, replies, start, end, instant)
                if place is not None:
                    about, values = _spread(about, values, place)
                rows.append(about)
                columns.append(values)
                start = end + 1
        echo = request.echo
        names = [*echo, *self._names]
        values = [*echo.values(), *[columns[view][place] for view, place in self._places]]
        sources = [*[None] * len(echo), *self._sources]
        for plan in self.plan.on_demand:
            computed = self._compute(plan, request, columns)
            names += computed
            values += computed.values()
            sources += [None] * len(computed)
        return OnlineFeatures(names, values, sources, rows, moment)

    def _view(
        self,
        view: ViewPlan,
        replies: Sequence[Sequence[Any]],
        start: int,
        end: int,
        instant: int,
    ) -> tuple[Rows, list[list[Any]]]:
        """Decodes one view's part of the replies."""
        if len(replies) == 1:
            state, time, cells = self._row(view, replies[0], start, end, instant)
            values = [[decode(cell)] for decode, cell in zip(view.decoders, cells, strict=True)]
            return Rows(view.name, (state,), (time,)), values
        states, times, stored = [], [], []
        for reply in replies:
            state, time, cells = self._row(view, reply, start, end, instant)
            states.append(state)
            times.append(time)
            stored.append(cells)
        # Column by column; without rows there are no columns to transpose.
        columns = zip(*stored, strict=True) if stored else [()] * len(view.features)
        return Rows(view.name, states, times), [
            list(map(decode, column)) for decode, column in zip(view.decoders, columns, strict=True)
        ]

    def _row(
        self, view: ViewPlan, reply: Sequence[Any], start: int, end: int, instant: int
    ) -> tuple[int, int, Sequence[Any]]:
        """State, time and stored values of a row; no values when it does not count."""
        if reply[end] is not None:
            time = self._event_time(reply[end])
            if time <= instant:
                if view.ttl is None or time >= instant - view.ttl:
                    return _PRESENT, time, reply[start:end]
                return _OLD, time, self._nothing[: end - start]
        return _NOT_FOUND, 0, self._nothing[: end - start]

    def _compute(
        self, plan: OnDemandPlan, request: Request, columns: Sequence[list[list[Any]]]
    ) -> dict[str, list[Any]]:
        inputs = {**request.echo, **request.data}
        for view, feature, names in plan.inputs:
            number, place = self._inputs[view, feature]
            inputs |= dict.fromkeys(names, columns[number][place])
        return plan(inputs, request.rows)


def _spread(
    about: Rows, columns: list[list[Any]], place: Sequence[int]
) -> tuple[Rows, list[list[Any]]]:
    """Gives each of the request's rows what was read for its key."""
    states, times = about.states, about.times
    about = Rows(about.view, [states[i] for i in place], [times[i] for i in place])
    return about, [[column[i] for i in place] for column in columns]
