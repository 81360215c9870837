"""What the server did to its models, and by whose doing, in the audit trail."""

from __future__ import annotations

import contextlib
import json
import logging
import queue
import socket
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf

from headrace.components.shared.errors import HeadraceError
from headrace.components.shared.model_store import MANIFEST
from headrace.serving.audit import history
from headrace.serving.audit.trail import Event, Trail
from headrace.serving.server.seam import State, VersionStatus

logger = logging.getLogger(__name__)


class Audit:
    """Records events in a thread of its own: a disk that is slow or full delays no request.

    Implements the seam's ``Watcher``.

    Args:
        path: The trail.
        port: The server's; with the host it says which server it was.
    """

    def __init__(self, path: str, port: int) -> None:
        self._trail = Trail(Path(path))
        self._actor = f"model server {socket.gethostname()}:{port}"
        self._configs: Mapping[str, Any] = {}
        self._queue: queue.SimpleQueue[Event | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="audit", daemon=True)
        self._thread.start()
        self._put(history.SERVER_STARTED)

    def configured(self, models: Any, by: str) -> None:
        """See ``seam.Watcher``; a configuration that is the same again is no event."""
        new = {one.name: one for one in models.config}
        for name in sorted({*self._configs, *new}):
            old, now = self._configs.get(name), new.get(name)
            if now is None:
                self._put("removed", name, by=by)
            elif old != now:
                self._put("configured", name, by=by)
            self._relabel(name, _labels(old), _labels(now), by)
        self._configs = new

    def changed(self, model: str, status: VersionStatus) -> None:
        """See ``seam.Watcher``."""
        if status.state is State.START:
            self._record_push(model, status.version)
        detail = {"error": status.message} if status.message else {}
        self._put(status.state.name.lower(), model, status.version, **detail)

    def stop(self) -> None:
        """Records the server's end, and waits until all is written."""
        self._put(history.SERVER_STOPPED)
        self._queue.put(None)
        self._thread.join()

    def _relabel(self, model: str, old: Mapping[str, int], new: Mapping[str, int], by: str) -> None:
        for label in sorted({*old, *new}):
            before, now = old.get(label), new.get(label)
            if before == now:
                continue
            if now is None:
                self._put(history.UNLABELLED, model, before or 0, label=label, by=by)
            else:
                self._put(history.LABELLED, model, now, label=label, by=by)

    def _record_push(self, model: str, version: int) -> None:
        """The push that the version's manifest tells of, unless the trail has it already."""
        config = self._configs.get(model)
        if config is None:
            return
        path = f"{config.base_path}/{version}/{MANIFEST}"
        with contextlib.suppress(tf.errors.OpError, ValueError, AttributeError):
            manifest = json.loads(tf.io.gfile.GFile(path).read())
            at, by = str(manifest.get("pushed_at", "")), manifest.get("pushed_by")
            if at:
                self._queue.put(Event("pushed", model, version, history.pusher(by), at))

    def _put(self, what: str, model: str = "", version: int = 0, **detail: str) -> None:
        self._queue.put(Event(what, model, version, self._actor, detail=detail))

    def _run(self) -> None:
        for event in self._events():
            try:
                self._trail.record(event)
            except HeadraceError as error:
                logger.error("%s of %s is not in the audit trail: %s", event.what, event, error)

    def _events(self) -> Iterator[Event]:
        while (event := self._queue.get()) is not None:
            yield event


def _labels(config: Any) -> dict[str, int]:
    return {} if config is None else dict(config.version_labels)
