"""All models of the server: their configuration, their versions, and who asks for which."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from headrace.serving.server.config import model_list
from headrace.serving.server.errors import Code, ServingError
from headrace.serving.server.models import source
from headrace.serving.server.models.model import Loading, Model, describe
from headrace.serving.server.models.version import Version
from headrace.serving.server.runtime.servable import LoadedServable
from headrace.serving.server.seam import Servable, State, VersionStatus, Watcher

logger = logging.getLogger(__name__)

# How often a caller that waits for models looks.
_LOOK_SECONDS = 0.02


@dataclass(frozen=True)
class ManagerOptions:
    """What flags change about loading; the defaults are TensorFlow Serving's.

    Attributes:
        poll_seconds: Look for versions so often; 0 for once, negative for never.
        load_threads: Versions loaded side by side after the start, at least one.
        retries: Attempts after the first that failed.
        retry_seconds: Time between attempts.
        labels_in_advance: Whether a new label may point at a version that is not there yet.
        request_log: Whether a model's ``logging_config`` can be followed.
    """

    poll_seconds: float = 1
    load_threads: int = 0
    retries: int = 5
    retry_seconds: float = 60
    labels_in_advance: bool = False
    request_log: bool = False


class ModelManager:
    """Keeps what is served in line with the configuration and the file system.

    Implements the seam's ``Models``.

    Args:
        load: Loads and warms up a version: (name, version, folder).
        options: What flags change.
        watchers: Are told what becomes of models.
    """

    def __init__(
        self,
        load: Callable[[str, int, str], LoadedServable],
        options: ManagerOptions,
        watchers: Sequence[Watcher] = (),
    ) -> None:
        self._options = options
        self._watchers = watchers
        # The first models load side by side; later ones must leave the CPU to requests.
        self._slots = threading.Semaphore(4 * (os.cpu_count() or 1))
        self._loading = Loading(load, self._slots, options.retries, options.retry_seconds)
        self._models: dict[str, Model] = {}
        self._labels: dict[tuple[str, str], int] = {}
        self._status: dict[str, dict[int, VersionStatus]] = {}
        self._owners: dict[tuple[str, int], Model] = {}
        self._config: Any = None
        self._reload = threading.Lock()
        self._looking = threading.Lock()
        self._stop = threading.Event()
        self._poller: threading.Thread | None = None

    def configure(self, config: Any, by: str) -> None:
        """Serves the models of a ``ModelServerConfig``, and no others.

        Blocks until the models that are new have an available version. A configuration that is
        refused changes nothing.

        Args:
            config: The configuration.
            by: Who or what asks for it.

        Raises:
            ServingError: the configuration contradicts itself or the one before, or a new model
                did not become available.
        """
        with self._reload:
            if config.WhichOneof("config") is None:
                self._check_empty()
                return
            wanted = config.model_config_list
            old = self._config.model_config_list if self._config else None
            model_list.check(wanted, old, logging=self._options.request_log)
            self._labels = self._checked_labels(wanted)
            first = self._config is None
            self._config = config
            for watcher in self._watchers:
                watcher.configured(wanted, by)
            names = {one.name for one in wanted.config}
            before = self._models
            new = [name for name in names if name not in before]
            added = {name: Model(name, self._loading, self._publish) for name in new}
            # Replaced as a whole: others are reading it.
            kept = {name: model for name, model in before.items() if name in names}
            self._models = {**kept, **added}
            for name in before.keys() - names:
                before[name].want({})
            if first:
                self._start_polling()
            elif self._options.poll_seconds >= 0:
                self._poll()
            self._await(list(added.values()), "servable" if first else "model")
            if first:
                self._loading = Loading(
                    self._loading.load,
                    threading.Semaphore(max(self._options.load_threads, 1)),
                    self._options.retries,
                    self._options.retry_seconds,
                )

    def stop(self) -> None:
        """Looks for versions no more; what is loaded stays until the process ends."""
        self._stop.set()

    @contextlib.contextmanager
    def acquire(
        self, name: str, version: int | None = None, label: str | None = None
    ) -> Iterator[Servable]:
        """See ``seam.Models.acquire``."""
        held = self._hold(name, version, label)
        try:
            assert held.servable is not None
            yield held.servable
        finally:
            held.release()

    def status(self, name: str, version: int | None = None) -> list[VersionStatus]:
        """See ``seam.Models.status``."""
        versions = self._status.get(name, {})
        if version is not None:
            if version not in versions:
                raise ServingError(
                    Code.NOT_FOUND, f"Could not find version {version} of model {name}"
                )
            return [versions[version]]
        if not versions:
            raise ServingError(Code.NOT_FOUND, f"Could not find any versions of model {name}")
        return [versions[number] for number in sorted(versions, reverse=True)]

    def names(self) -> list[str]:
        """See ``seam.Models.names``."""
        return sorted(self._models)

    def ready(self) -> bool:
        """See ``seam.Models.ready``."""
        return bool(self._models) and all(model.serving for model in self._models.values())

    def _hold(self, name: str, version: int | None, label: str | None) -> Version:
        if not name:
            raise ServingError(Code.INVALID_ARGUMENT, "ModelSpec has no name specified.")
        if label is not None:
            version = self._labels.get((name, label))
            if version is None:
                raise ServingError(
                    Code.INVALID_ARGUMENT, f"Unrecognized servable version label: {label}"
                )
        model = self._models.get(name)
        while model is not None and (serving := model.serving):
            found = serving.get(max(serving) if version is None else version)
            if found is None:
                break
            if found.acquire():
                return found
            # It was retired a moment ago: the next look shows its successor, or nothing.
            time.sleep(0)
        asked = f"Latest({name})" if version is None else f"Specific({name}, {version})"
        raise ServingError(Code.NOT_FOUND, f"Servable not found for request: {asked}")

    def _publish(self, model: Model, status: VersionStatus) -> None:
        name = model.name
        if status.state is State.START:
            self._owners[name, status.version] = model
        elif self._owners[name, status.version] is not model:
            return  # the end of a model that was taken out and has come back since
        self._status[name] = {**self._status.get(name, {}), status.version: status}
        for watcher in self._watchers:
            watcher.changed(name, status)

    def _start_polling(self) -> None:
        if self._options.poll_seconds == 0:
            self._poll()
        elif self._options.poll_seconds > 0:
            self._poller = threading.Thread(target=self._poll_on, name="poll", daemon=True)
            self._poller.start()

    def _poll_on(self) -> None:
        while True:
            try:
                self._poll()
            except Exception:
                logger.exception("Looking for versions failed; trying again")
            if self._stop.wait(self._options.poll_seconds):
                return

    def _poll(self) -> None:
        with self._looking:  # an older look must not be the last word
            for config in self._config.model_config_list.config:
                paths = source.wanted(config)
                model = self._models.get(config.name)
                if paths is not None and model is not None:
                    model.want(paths)

    def _check_empty(self) -> None:
        """An empty configuration is no list of no models: it means nothing, or is refused."""
        if self._config is not None:
            raise ServingError(
                Code.FAILED_PRECONDITION,
                "Cannot transition to requested config. It is only legal to transition from one "
                "ModelConfigList to another.",
            )
        logger.info("Taking no action for empty config.")

    def _checked_labels(self, wanted: Any) -> dict[tuple[str, str], int]:
        labels = {}
        for config in wanted.config:
            for label, version in config.version_labels.items():
                moved = self._labels.get((config.name, label), version) != version
                known = self._status.get(config.name, {}).get(version)
                available = known is not None and known.state is State.AVAILABLE
                if not available and (moved or not self._options.labels_in_advance):
                    raise ServingError(
                        Code.FAILED_PRECONDITION,
                        f"Request to assign label to version {version} of model {config.name}, "
                        "which is not currently available for inference",
                    )
                labels[config.name, label] = version
        return labels

    def _await(self, models: list[Model], noun: str) -> None:
        failed: list[str] = []
        for model in models:
            while (versions := model.settled()) is None and not self._stop.is_set():
                time.sleep(_LOOK_SECONDS)
            for version in versions or ():
                if not any(one.state is State.AVAILABLE for one in versions or ()):
                    reason = f" due to error: {version.error}" if version.error else ""
                    failed.append(f"{{{describe(model.name, version.number)}{reason}}}, ")
        if failed:
            raise ServingError(
                Code.UNKNOWN,
                f"{len(failed)} {noun}(s) did not become available: {{{''.join(failed)}}}",
            )
