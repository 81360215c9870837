"""Feast's Redis layout: one hash per entity key, with the fields of all views that have that key.

A view's features are fields named by a hash of view and feature; ``_ts:<view>`` holds when they
were true.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import redis
from feast.infra.online_stores.helpers import _mmh3
from feast.infra.online_stores.redis import RedisOnlineStore
from feast.repo_config import RepoConfig
from redis.backoff import ExponentialWithJitterBackoff
from redis.retry import Retry

from headrace.feature_store.online.codec import microseconds
from headrace.feature_store.online.errors import OnlineStoreError
from headrace.feature_store.online.keys import KeyEncoder
from headrace.feature_store.online.plan import KeyGroup, ViewPlan
from headrace.feature_store.online.redis_cluster import exchange
from headrace.feature_store.online.redis_connections import Connections

#: Seconds that one answer of the server may take before it counts as down.
READ_TIMEOUT = 0.5
#: How often a lost connection is made anew before giving up; a server that is too slow is not
#: asked again, because that would only add to its load.
RETRIES = 2

#: What redis-py raises; an error of a whole cluster is no RedisError.
_FAILURES = (redis.RedisError, redis.exceptions.RedisClusterException, OSError)


def connect(config: RepoConfig, *, timeout: float, retries: int = RETRIES) -> Any:
    """A client for the store that Feast's configuration names: one server, cluster or sentinel.

    Feast's own code parses ``connection_string`` and makes the client. Time-outs that it names
    win over ``timeout``.
    """
    online = config.online_store
    given = RedisOnlineStore._parse_connection_string(online.connection_string)[1]
    defaults = {"socket_timeout": timeout, "socket_connect_timeout": timeout}
    added = "".join(f",{name}={value}" for name, value in defaults.items() if name not in given)
    limited = online.model_copy(update={"connection_string": online.connection_string + added})
    with Reaching(config):
        client = RedisOnlineStore()._get_client(limited)
    if "retry" not in given:
        backoff = ExponentialWithJitterBackoff(base=0.01, cap=0.1)
        client.set_retry(Retry(backoff, retries, supported_errors=(redis.ConnectionError,)))
    return client


class Reaching:
    """Turns what redis-py raises into an :class:`OnlineStoreError` that says where and why.

    A class, because entering a generator would cost every request a microsecond.
    """

    __slots__ = ("_config",)

    def __init__(self, config: RepoConfig) -> None:
        self._config = config

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if not isinstance(error, _FAILURES):
            return
        address = self._config.online_store.connection_string
        nodes = RedisOnlineStore._parse_connection_string(address)[0]
        place = ", ".join(":".join(node.values()) for node in nodes)
        raise OnlineStoreError(
            f"The online store at {place} did not answer: {type(error).__name__}: {error}",
            fix="Check that Redis runs and that online_store.connection_string in "
            "feature_store.yaml is right (host:port,password=…,ssl=true,socket_timeout=…).",
        ) from error


def fields(view: str, features: Sequence[str]) -> list[bytes]:
    """The names of a view's fields in a hash, with its event timestamp last."""
    names: list[bytes] = [_mmh3(f"{view}:{feature}") for feature in features]
    return [*names, f"_ts:{view}".encode()]


class RedisReader:
    """Looks up many keys in one round trip."""

    #: How an event timestamp is stored; rows that were materialised together share theirs.
    event_time: Callable[[bytes], int] = staticmethod(lru_cache(1 << 14)(microseconds))

    def __init__(self, config: RepoConfig, groups: Sequence[KeyGroup], connection: Any) -> None:
        """Prepares the commands for connections that :meth:`connect` made."""
        self._reaching = Reaching(config)
        self._connections: Connections = connection
        self._cluster = isinstance(connection.client, redis.RedisCluster)
        self._fields = [_fields_of(group.views) for group in groups]
        self._packed = [_packed_fields(names) for names in self._fields]

    @staticmethod
    def connect(config: RepoConfig, *, timeout: float) -> Any:
        """Connections that many readers may share."""
        return Connections(connect(config, timeout=timeout))

    @staticmethod
    def check(config: RepoConfig, connection: Any) -> None:
        """Asks the server for a sign of life.

        Raises:
            OnlineStoreError: There is none.
        """
        with Reaching(config):
            connection.client.ping()

    @staticmethod
    def encoder(config: RepoConfig, group: KeyGroup) -> KeyEncoder:
        """How this store writes the keys of a group."""
        return KeyEncoder(group.kinds, tail=config.project.encode())

    def read(self, keys: Sequence[Sequence[bytes]]) -> list[list[Sequence[Any]]]:
        """Per group and key: the bytes of the group's features and event timestamps, in order.

        Raises:
            OnlineStoreError: The store cannot be reached, is too slow or refuses.
        """
        with self._reaching:
            replies = self._on_cluster(keys) if self._cluster else self._on_server(keys)
        answer, end = [], 0
        for members in keys:
            start, end = end, end + len(members)
            answer.append(replies[start:end])
        return answer

    def _on_server(self, keys: Sequence[Sequence[bytes]]) -> list[Any]:
        """Like a pipeline of HMGET, but the commands' constant parts were packed before."""
        parts: list[bytes] = []
        for members, (before, behind) in zip(keys, self._packed, strict=True):
            for key in members:
                parts += (before, b"%d\r\n" % len(key), key, behind)
        return self._connections.exchange(b"".join(parts), sum(map(len, keys)))

    def _on_cluster(self, keys: Sequence[Sequence[bytes]]) -> list[Any]:
        commands = [
            ("HMGET", key, *names)
            for members, names in zip(keys, self._fields, strict=True)
            for key in members
        ]
        flat = [key for members in keys for key in members]
        return exchange(self._connections.client, flat, commands)


def _fields_of(views: Sequence[ViewPlan]) -> list[bytes]:
    return [name for view in views for name in fields(view.stored_name, view.features)]


def _packed_fields(names: Sequence[bytes]) -> tuple[bytes, bytes]:
    """What precedes and follows the key in the command that reads these fields."""
    before = b"*%d\r\n$5\r\nHMGET\r\n$" % (2 + len(names))
    return before, b"\r\n" + b"".join(b"$%d\r\n%b\r\n" % (len(name), name) for name in names)
