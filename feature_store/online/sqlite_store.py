"""Feast's SQLite layout: a table per feature view, a row per entity key and feature."""

from __future__ import annotations

import contextlib
import datetime as dt
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from feast.infra.online_stores.helpers import compute_table_id
from feast.infra.online_stores.sqlite import SqliteOnlineStore, _quote_id
from feast.repo_config import RepoConfig

from headrace.feature_store.online.errors import OnlineStoreError
from headrace.feature_store.online.keys import KeyEncoder
from headrace.feature_store.online.plan import KeyGroup, ViewPlan

#: Keys per query; SQLite takes 32,766 parameters.
_KEYS = 30_000
_MICRO = 1_000_000

#: A connection serves one thread at a time.
_LOCK = threading.Lock()


def connect(config: RepoConfig, *, timeout: float) -> sqlite3.Connection:
    """A connection of our own to the file that Feast's configuration names."""
    path = SqliteOnlineStore._get_db_path(config)
    with reaching(config):
        return sqlite3.connect(path, timeout=timeout, check_same_thread=False)


@contextlib.contextmanager
def reaching(config: RepoConfig) -> Iterator[None]:
    """Turns what sqlite3 raises into an :class:`OnlineStoreError` that says where and why."""
    try:
        yield
    except sqlite3.Error as error:
        raise OnlineStoreError(
            f"The online store {SqliteOnlineStore._get_db_path(config)} cannot be used: {error}",
            fix="Run `feast apply`, which makes its tables, and check that no other process keeps "
            "the file locked.",
        ) from error


def table_name(config: RepoConfig, view: Any) -> str:
    """The table of a view, quoted."""
    versions = config.registry.enable_online_feature_view_versioning
    return str(_quote_id(compute_table_id(config.project, view, versions)))


def stored_time(microseconds: int) -> int:
    """An event timestamp as Feast stores it: whole seconds.

    Feast takes the UTC time for a local one, so on machines outside UTC the number is off by the
    time zone; reading takes it back.
    """
    naive = dt.datetime.fromtimestamp(microseconds // _MICRO, tz=dt.UTC).replace(tzinfo=None)
    return int(naive.timestamp())


def event_time(stored: int) -> int:
    """The reverse: microseconds since 1970."""
    naive = dt.datetime.fromtimestamp(stored)
    return int(naive.replace(tzinfo=dt.UTC).timestamp()) * _MICRO


class SqliteReader:
    """Looks up many keys with one query per view."""

    #: How an event timestamp is stored.
    event_time: Callable[[int], int] = staticmethod(event_time)

    def __init__(self, config: RepoConfig, groups: Sequence[KeyGroup], connection: Any) -> None:
        """Prepares reading through a connection that :func:`connect` made."""
        self._config = config
        self._groups = groups
        self._connection = connection

    @staticmethod
    def connect(config: RepoConfig, *, timeout: float) -> Any:
        """A connection that many readers may share."""
        return connect(config, timeout=timeout)

    @staticmethod
    def check(config: RepoConfig, connection: Any) -> None:
        """Reads the file's header.

        Raises:
            OnlineStoreError: It cannot be read.
        """
        with _LOCK, reaching(config):
            connection.execute("PRAGMA schema_version")

    @staticmethod
    def encoder(config: RepoConfig, group: KeyGroup) -> KeyEncoder:
        """How this store writes the keys of a group."""
        return KeyEncoder(group.kinds, tail=b"")

    def read(self, keys: Sequence[Sequence[bytes]]) -> list[list[Sequence[Any]]]:
        """Per group and key: the bytes of the group's features and event timestamps, in order.

        Raises:
            OnlineStoreError: The file cannot be read.
        """
        answer: list[list[Sequence[Any]]] = []
        with _LOCK, reaching(self._config):
            for group, members in zip(self._groups, keys, strict=True):
                rows: list[list[Any]] = [[] for _ in members]
                for view in group.views:
                    found = self._view(view, members)
                    for row, key in zip(rows, members, strict=True):
                        row += found.get(key) or [None] * (len(view.features) + 1)
                answer.append(list(rows))
        return answer

    def _view(self, view: ViewPlan, keys: Sequence[bytes]) -> dict[bytes, list[Any]]:
        width = len(view.features)
        place = {feature: number for number, feature in enumerate(view.features)}
        found: dict[bytes, list[Any]] = {}
        for start in range(0, len(keys), _KEYS):
            part = keys[start : start + _KEYS]
            query = (
                f"SELECT entity_key, feature_name, value, event_ts "
                f"FROM {table_name(self._config, view.view)} "
                f"WHERE entity_key IN ({','.join('?' * len(part))})"
            )
            for key, feature, value, time in self._connection.execute(query, part):
                if feature in place:
                    row = found.setdefault(key, [None] * width + [time])
                    row[place[feature]] = value
                    row[width] = max(row[width], time)
        return found
