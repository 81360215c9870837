"""The model that answers on a device, and is replaced between two requests."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from headrace.components.shared.errors import ConfigError, HeadraceError, StorageError
from headrace.serving.edge.bundle import check_bundle, read_public_keys
from headrace.serving.edge.device.errors import UpdateError
from headrace.serving.edge.device.folder import DeviceFolder
from headrace.serving.edge.device.runtime import EdgeModel, explained, load

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
        public_key: PEM file of the trusted keys, read for each version: nothing that they have not
            signed is run.
        variant: Name of the variant; None is the default of each version.
        threads: Of the interpreter.
        interval: Seconds between two looks at which version is active.

    Raises:
        ConfigError: there are no public keys in the file.
        UpdateError: there is no version that can start.
    """

    def __init__(
        self,
        folder: Path,
        public_key: Path,
        *,
        variant: str | None = None,
        threads: int = 1,
        interval: float = 1.0,
    ) -> None:
        self._folder = DeviceFolder(folder)
        self._public_key = public_key
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
        """The active version, else the one before.

        Where neither can start, the fault may be in the keys or the variant that were asked for:
        then nothing is rolled back.
        """
        reasons: dict[int, str] = {}
        for version in (self._folder.active(), self._folder.previous()):
            if version is None or version in reasons:
                continue
            try:
                running = self._start(version)
            except ConfigError:
                raise
            except Exception as error:
                reasons[version] = _reason(error)
                continue
            for refused, reason in reasons.items():
                self._roll_back(refused, reason)
            return running
        found = "".join(f"\n  version {version}: {why}" for version, why in reasons.items())
        raise UpdateError(
            f"No version in {self._folder.root} can start.{found}",
            fix="Check the public key and the variant, or run `headrace edge update`.",
        )

    def _follow(self, interval: float) -> None:
        while not self._closing.wait(interval):
            active = self._folder.active()
            if active in (None, self._running.version):
                continue
            try:
                self._running = self._start(active)
            except ConfigError as error:  # of the keys, not of the version
                _log.error("version %d cannot be checked: %s", active, error)
            except Exception as error:
                self._roll_back(active, _reason(error))

    def _start(self, version: int) -> _Running:
        path = self._folder.path(version)
        manifest = check_bundle(path, read_public_keys(self._public_key))
        with explained():
            model = load(path, self._variant or manifest.default, threads=self._threads)
        _log.info("version %d answers", version, extra={"model": manifest.model})
        return _Running(version, model)

    def _roll_back(self, version: int, reason: str) -> None:
        """Rolls back; a folder that cannot be written does not keep this from answering."""
        _log.error("version %d cannot start, rolling back: %s", version, reason)
        try:
            self._folder.roll_back(version, f"cannot start: {reason}")
        except (OSError, StorageError) as error:
            _log.error("the folder cannot be written: %s", error)


def _reason(error: Exception) -> str:
    return error.message if isinstance(error, HeadraceError) else repr(error)
