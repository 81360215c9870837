"""One version of a model: its state, and who is using it."""

from __future__ import annotations

import gc
import threading
from collections.abc import Callable

from headrace.serving.server.errors import Code, ServingError
from headrace.serving.server.runtime.servable import LoadedServable
from headrace.serving.server.seam import State, VersionStatus


class Version:
    """A version that is, was or will be served.

    A request holds it with ``acquire`` and ``release``; ``unload`` waits for those who hold it.

    Args:
        number: The version's number.
        path: Its folder.
        publish: Is told each new state.
    """

    def __init__(self, number: int, path: str, publish: Callable[[VersionStatus], None]) -> None:
        self.number = number
        self.path = path
        self.wanted = True
        self.servable: LoadedServable | None = None
        self.cancelled = threading.Event()
        self._publish = publish
        self._holders = 0
        self._idle = threading.Condition()
        self.enter(State.START)

    def enter(self, state: State, error: ServingError | None = None) -> None:
        """Goes over to a state, with the error that led there."""
        code, message = (error.code, error.message) if error else (Code.OK, "")
        self._publish(VersionStatus(self.number, state, code, message))
        self.state = state
        self.error = error

    @property
    def gone(self) -> bool:
        """Whether it was unloaded, so that the same number may be loaded again."""
        return self.state is State.END and self.error is None

    def acquire(self) -> bool:
        """Holds the version; False when it is about to be unloaded."""
        with self._idle:
            if self.state is not State.AVAILABLE:
                return False
            self._holders += 1
            return True

    def release(self) -> None:
        """Gives back what ``acquire`` held."""
        with self._idle:
            self._holders -= 1
            if not self._holders:
                self._idle.notify_all()

    def retire(self) -> None:
        """Lets nobody in any more."""
        with self._idle:
            self.enter(State.UNLOADING)

    def unload(self) -> None:
        """Waits for those who hold the version, and frees it."""
        with self._idle:
            self._idle.wait_for(lambda: not self._holders)
        if self.servable is not None:
            self.servable.close()
            self.servable = None
            # Graphs hold themselves; left alone, a dozen of them would wait to be collected.
            gc.collect()
        self.enter(State.END)
