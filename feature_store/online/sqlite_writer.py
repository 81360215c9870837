"""Writing rows to SQLite, in one transaction, never replacing a newer value by an older one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from feast.infra.online_stores.helpers import extract_text_and_num
from feast.protos.feast.types.Value_pb2 import Value
from feast.repo_config import RepoConfig

from headrace.feature_store.online.rows import Rows
from headrace.feature_store.online.sqlite_store import connect, reaching, stored_time, table_name

_TIMEOUT = 10.0


class SqliteWriter:
    """Writes rows of one view."""

    def __init__(self, config: RepoConfig, view: Any, features: Sequence[str]) -> None:
        """Opens the file."""
        self._config = config
        self._features = features
        self._connection = connect(config, timeout=_TIMEOUT)
        table = table_name(config, view)
        self._upsert = (
            f"INSERT INTO {table} (entity_key, feature_name, value, value_text, event_ts, "
            "created_ts) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (entity_key, feature_name) "
            "DO UPDATE SET value = excluded.value, value_text = excluded.value_text, "
            "event_ts = excluded.event_ts, created_ts = excluded.created_ts "
            "WHERE excluded.event_ts >= event_ts"
        )

    @staticmethod
    def tail(config: RepoConfig) -> bytes:
        """What follows each key: nothing, since each project has its own tables."""
        del config
        return b""

    def write(self, rows: Rows) -> int:
        """Writes what is not older than what is stored; answers how many rows that were.

        Raises:
            OnlineStoreError: The file cannot be written; then nothing of these rows is.
        """
        with reaching(self._config), self._connection as connection:
            cursor = connection.executemany(self._upsert, self._cells(rows))
            return int(cursor.rowcount) // max(1, len(self._features))

    def close(self) -> None:
        """Closes the file."""
        self._connection.close()

    def _cells(self, rows: Rows) -> Iterator[tuple[Any, ...]]:
        times = [stored_time(time) for time in rows.times.tolist()]
        created = [None if time is None else stored_time(time) for time in rows.created]
        for feature in self._features:
            for key, value, time, made in zip(
                rows.keys, rows.values[feature], times, created, strict=True
            ):
                text = extract_text_and_num(Value.FromString(value), False)[0]
                yield key, feature, value, text, time, made
