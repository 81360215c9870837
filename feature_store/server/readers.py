"""The readers of a server: one per feature service or list of features, over one connection."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from feast import FeatureStore

from headrace.feature_store.online.reader import BACKENDS, OnlineReader

#: Lists of features that clients make up are kept up to this number.
_KEPT = 256


class Readers:
    """Makes readers when they are first asked for, and anew when the registry may have changed."""

    def __init__(self, store: FeatureStore, *, now: Callable[[], float], timeout: float) -> None:
        """Prepares a store's readers.

        Args:
            store: Feast's feature store; its registry's ``cache_ttl_seconds`` says how long
                definitions are used without looking for newer ones (0: for ever).
            now: The moment for which features are asked.
            timeout: Seconds an answer of the store may take.
        """
        self.store = store
        self._now = now
        self._timeout = timeout
        self._lifetime = float(store.config.registry.cache_ttl_seconds or 0)
        self._read_at = time.monotonic()
        self._readers: dict[tuple[Any, bool], OnlineReader] = {}
        self._connection: Any = None
        self._lock = threading.Lock()

    def get(self, features: str | tuple[str, ...], *, full: bool) -> OnlineReader:
        """The reader of these features.

        Raises:
            UnknownFeaturesError: The registry does not have them.
        """
        if self._lifetime and time.monotonic() - self._read_at > self._lifetime:
            self._refresh()
        return self._readers.get((features, full)) or self._make(features, full)

    def check(self) -> None:
        """Asks the store for a sign of life.

        Raises:
            OnlineStoreError: There is none.
        """
        config = self.store.config
        backend = BACKENDS.get(config.online_store.type)
        if backend is None:  # only Feast knows how to reach it
            return
        if self._connection is None:
            with self._lock:
                self._connection = backend.connect(config, timeout=self._timeout)
        backend.check(config, self._connection)

    def close(self) -> None:
        """Closes the connection to the store."""
        if self._connection is not None:
            self._connection.close()

    def _make(self, features: str | tuple[str, ...], full: bool) -> OnlineReader:
        with self._lock:
            known = self._readers.get((features, full))
            if known is not None:
                return known
            reader = OnlineReader(
                self.store,
                features,
                now=self._now,
                full_feature_names=full,
                timeout=self._timeout,
                connection=self._connection,
            )
            self._connection = self._connection or reader.connection
            if len(self._readers) >= _KEPT:
                self._readers.pop(next(iter(self._readers)))
            self._readers[features, full] = reader
            return reader

    def _refresh(self) -> None:
        with self._lock:
            self._read_at = time.monotonic()
            self.store.refresh_registry()
            self._readers = {}
