"""One model: brings its loaded versions in line with the wanted ones, never without any between."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import tenacity

from headrace.serving.server.errors import Code, ServingError
from headrace.serving.server.models.version import Version
from headrace.serving.server.runtime.servable import LoadedServable
from headrace.serving.server.seam import State, VersionStatus

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Loading:
    """How versions are brought up.

    Attributes:
        load: Loads and warms up (name, version, folder).
        slots: Limits how many load at the same time.
        retries: Attempts after the first.
        retry_seconds: Time between attempts.
    """

    load: Callable[[str, int, str], LoadedServable]
    slots: threading.Semaphore
    retries: int
    retry_seconds: float


class Model:
    """The versions of one model.

    Args:
        name: The model's name.
        loading: How versions are brought up.
        publish: Is told each change of a version's state.
    """

    def __init__(
        self, name: str, loading: Loading, publish: Callable[[Model, VersionStatus], None]
    ) -> None:
        self.name = name
        #: Available versions, oldest first; replaced as a whole, so that readers need no lock.
        self.serving: Mapping[int, Version] = {}
        self._loading = loading
        self._publish = lambda status: publish(self, status)
        self._versions: dict[int, Version] = {}
        self._lock = threading.Lock()
        self._worker: threading.Thread | None = None

    def want(self, paths: Mapping[int, str]) -> None:
        """These versions, and no others, should be served; returns at once."""
        with self._lock:
            for number in [n for n, one in self._versions.items() if one.gone]:
                del self._versions[number]
            for number, version in self._versions.items():
                version.wanted = number in paths
                if not version.wanted:
                    version.cancelled.set()
            for number in sorted(paths.keys() - self._versions.keys()):
                self._versions[number] = Version(number, paths[number], self._publish)
            if self._worker is None:
                self._worker = threading.Thread(target=self._work, name=f"load {self.name}")
                self._worker.daemon = True
                self._worker.start()

    def settled(self) -> list[Version] | None:
        """What became of the versions; None while one may still become available."""
        with self._lock:
            versions = list(self._versions.values())
            if self.serving:
                return versions
        if not versions or any(version.state is not State.END for version in versions):
            return None
        return versions

    def _work(self) -> None:
        while (step := self._next()) is not None:
            step()

    def _next(self) -> Callable[[], None] | None:
        """The next thing to do; None, and no worker any more, when there is nothing."""
        with self._lock:
            versions = sorted(self._versions.values(), key=lambda version: version.number)
            for version in versions:
                if not version.wanted and version.state in (State.START, State.END):
                    del self._versions[version.number]
                    if version.state is State.START:
                        version.enter(State.END)
            step = self._unload_step(versions) or self._load_step(versions)
            if step is None:
                self._worker = None
            return step

    def _unload_step(self, versions: list[Version]) -> Callable[[], None] | None:
        """Unwanted versions go, oldest first, but the last only when a wanted one serves."""
        serving = [version for version in versions if version.state is State.AVAILABLE]
        unwanted = [version for version in serving if not version.wanted]
        wanted = [version for version in versions if version.wanted]
        replaced = len(unwanted) < len(serving)
        if unwanted and (not wanted or replaced or len(unwanted) > 1):
            return lambda: self._unload(unwanted[0])
        return None

    def _load_step(self, versions: list[Version]) -> Callable[[], None] | None:
        new = [version for version in versions if version.wanted and version.state is State.START]
        return (lambda: self._load(new[-1])) if new else None

    def _load(self, version: Version) -> None:
        version.enter(State.LOADING)
        attempts = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(ServingError),
            stop=tenacity.stop_any(
                tenacity.stop_after_attempt(self._loading.retries + 1),
                tenacity.stop_when_event_set(version.cancelled),
            ),
            wait=tenacity.wait_fixed(max(self._loading.retry_seconds, 0)),
            sleep=tenacity.sleep_using_event(version.cancelled),
            before_sleep=tenacity.before_sleep_log(logger, logging.WARNING),
            reraise=True,
        )
        try:
            version.servable = attempts(self._load_once, version)
        except ServingError as error:
            logger.error("Loading %s version %d failed: %s", self.name, version.number, error)
            version.enter(State.END, error)
            return
        version.state = State.AVAILABLE
        self._serve()
        version.enter(State.AVAILABLE)  # says so only now that requests find it
        logger.info("Successfully loaded servable version %s", describe(self.name, version.number))

    def _load_once(self, version: Version) -> LoadedServable:
        with self._loading.slots:
            try:
                return self._loading.load(self.name, version.number, version.path)
            except ServingError:
                raise
            except Exception as error:
                logger.exception("Loading %s failed in an unforeseen way", version.path)
                raise ServingError(Code.INTERNAL, f"{type(error).__name__}: {error}") from error

    def _unload(self, version: Version) -> None:
        version.retire()
        self._serve()
        # Long requests must not delay what comes next.
        threading.Thread(target=version.unload, name=f"unload {self.name}", daemon=True).start()

    def _serve(self) -> None:
        with self._lock:
            self.serving = {
                number: version
                for number, version in sorted(self._versions.items())
                if version.state is State.AVAILABLE
            }


def describe(name: str, version: int) -> str:
    """A version as TensorFlow Serving prints it."""
    return f"{{name: {name} version: {version}}}"
