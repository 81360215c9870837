"""Writing features to the online store: Feast's layout and bytes, newer values always stay."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
from feast import FeatureStore
from feast.errors import FeastObjectNotFoundException
from feast.infra.online_stores.helpers import compute_versioned_name

from headrace.components.shared.errors import ConfigError
from headrace.feature_store.online.errors import UnknownFeaturesError
from headrace.feature_store.online.redis_writer import RedisWriter
from headrace.feature_store.online.rows import Layout, Rows, Table, as_arrow, chunks, tidy
from headrace.feature_store.online.sqlite_writer import SqliteWriter

#: Rows that are encoded and sent at once: some tens of megabytes.
CHUNK_ROWS = 10_000


@dataclass(frozen=True)
class WriteResult:
    """What became of the rows.

    Attributes:
        written: Rows, one per key, that are in the store now.
        skipped_older: Rows left out because the store, or the same table, has a newer one.
    """

    written: int
    skipped_older: int

    def __add__(self, other: WriteResult) -> WriteResult:
        return WriteResult(self.written + other.written, self.skipped_older + other.skipped_older)


def write_features(
    store: FeatureStore,
    view: str | Any,
    table: Table | pa.RecordBatchReader,
    *,
    chunk_rows: int = CHUNK_ROWS,
) -> WriteResult:
    """Writes rows of one feature view; doing it again changes nothing.

    Of several rows of a key the newest event timestamp counts, of equal ones the newest created
    timestamp. A row is left out when the store has a newer one. At the same event timestamp it is
    written: a correction arrives, as it does offline. (Feast's Redis store leaves that out, its
    SQLite store overwrites even with older rows.)

    Args:
        store: Feast's feature store.
        view: The feature view or its name.
        table: Columns as in the view's source, or under the view's names; a reader is written
            batch by batch.
        chunk_rows: Rows that are encoded and sent at once.

    Raises:
        DataError: A column is missing or of a wrong type, or a key or a time is null.
        OnlineStoreError: The store cannot be written.
    """
    definition = find_view(store, view) if isinstance(view, str) else view
    layout = Layout.of(definition)
    writer = _writer(store, layout)
    total = WriteResult(0, 0)
    try:
        for batch in _batches(table):
            rows = chunks(layout, tidy(layout, batch), writer.tail(store.config), chunk_rows)
            done = _send(writer, rows)
            total += WriteResult(done, batch.num_rows - done)
    finally:
        writer.close()
    return total


def _send(writer: RedisWriter | SqliteWriter, pieces: Iterator[Rows]) -> int:
    """Writes the pieces, each while the next one is encoded; answers how many rows were written.

    The store's work and ours take about the same time. At most two pieces are in memory.
    """
    piece, done = next(pieces, None), 0
    following = next(pieces, None)
    if following is None:  # no need for a thread
        return 0 if piece is None else writer.write(piece)
    with ThreadPoolExecutor(1) as pool:
        while piece is not None:
            sending = pool.submit(writer.write, piece)
            piece = following
            following = next(pieces, None) if piece is not None else None
            done += sending.result()
    return done


def _batches(table: Any) -> Iterator[Any]:
    if isinstance(table, pa.RecordBatchReader):
        yield from table
    else:
        yield as_arrow(table)


def find_view(store: FeatureStore, name: str) -> Any:
    """The feature view of that name, as the registry has it.

    Raises:
        UnknownFeaturesError: There is none.
    """
    try:
        return store.registry.get_any_feature_view(name, store.project, allow_cache=True)
    except FeastObjectNotFoundException as error:
        raise UnknownFeaturesError(
            f"Feast project {store.project!r} has no feature view {name!r}.",
            fix="Run `feast apply`, or use a name that `feast feature-views list` shows.",
        ) from error


def _writer(store: FeatureStore, layout: Layout) -> RedisWriter | SqliteWriter:
    config, features = store.config, list(layout.features)
    online = config.online_store
    kind = online.type if online else None
    versions = config.registry.enable_online_feature_view_versioning
    if kind == "redis":
        return RedisWriter(config, compute_versioned_name(layout.view, versions), features)
    if kind == "sqlite" and not (online.vector_enabled or online.enable_openai_compatible_store):
        return SqliteWriter(config, layout.view, features)
    raise ConfigError(
        f"Features are written to Redis and SQLite without vectors, but online_store is {kind!r}.",
        fix="Use one of them, or Feast's own `feast materialize` for other stores.",
    )
