"""The model that answers on a device, and is replaced between two requests."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from headrace.components.shared.errors import HeadraceError, StorageError
from headrace.serving.edge.bundle import check_bundle
from headrace.serving.edge.device.errors import UpdateError
from headrace.serving.edge.device.folder import DeviceFolder
from headrace.serving.edge.device.runtime import EdgeModel, explained, load

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Running:
    version: int
    model: EdgeModel
    #: An interpreter holds the tensors of one call.
    lock: threading.Lock = field(default_factory=threading.Lock)


class DeviceModel:
    """Answers with the active version of a device's folder, and follows it when it changes.

    A version that cannot start is rolled back; the one before goes on answering. Safe from many
    threads.

    Args:
        folder: The device's folder.
        keys: Trusted public keys; nothing that they have not signed is run.
        variant: Name of the variant; None is the default of each version.
        threads: Of the interpreter.
        interval: Seconds between two looks at which version is active.

    Raises:
        UpdateError: there is no version that can start.
    """

    def __init__(
        self,
        folder: Path,
        keys: Sequence[Ed25519PublicKey],
        *,
        variant: str | None = None,
        threads: int = 1,
        interval: float = 1.0,
    ) -> None:
        self._folder = DeviceFolder(folder)
        self._keys = keys
        self._variant = variant
        self._threads = threads
        self._running = self._first()
        self._closing = threading.Event()
        self._watch = threading.Thread(target=self._follow, args=(interval,), daemon=True)
        self._watch.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Stops looking for another version."""
        self._closing.set()
        self._watch.join()

    @property
    def version(self) -> int:
        """The version that answers."""
        return self._running.version

    def predict(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """Predicts one row of raw features: output name to value."""
        running = self._running
        with running.lock:
            return running.model.predict(row)

    def predict_batch(self, columns: Mapping[str, Any]) -> dict[str, Any]:
        """Predicts columns of raw features: output name to an array with a value for each row."""
        running = self._running
        with running.lock:
            return running.model.predict_batch(columns)

    def _first(self) -> _Running:
        active = self._folder.active() or self._folder.previous()
        while active is not None:
            try:
                return self._start(active)
            except Exception as error:
                active = self._refused(active, error)
        raise UpdateError(
            f"No version in {self._folder.root} can start.", fix="Run `headrace edge update`."
        )

    def _follow(self, interval: float) -> None:
        while not self._closing.wait(interval):
            active = self._folder.active()
            if active in (None, self._running.version):
                continue
            try:
                self._running = self._start(active)
            except Exception as error:
                self._refused(active, error)

    def _start(self, version: int) -> _Running:
        path = self._folder.path(version)
        manifest = check_bundle(path, self._keys)
        with explained():
            model = load(path, self._variant or manifest.default, threads=self._threads)
        _log.info("version %d answers", version, extra={"model": manifest.model})
        return _Running(version, model)

    def _refused(self, version: int, error: Exception) -> int | None:
        """Rolls back; a folder that cannot be written does not keep this from answering."""
        reason = error.message if isinstance(error, HeadraceError) else repr(error)
        _log.error("version %d cannot start, rolling back: %s", version, reason)
        try:
            return self._folder.roll_back(version, f"cannot start: {reason}")
        except (OSError, StorageError) as unwritable:
            _log.error("the folder cannot be written: %s", unwritable)
            previous = self._folder.previous()
            return None if previous == version else previous
