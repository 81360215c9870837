"""Pushed models: ``<destination>/<model>/<version>/`` as TensorFlow Serving reads them.

Each version holds, besides the SavedModel, ``assets.extra/headrace/`` with the manifest, the
schema and the statistics of its training data, and may hold requests that warm it up. What devices
get of a version is in ``<destination>/<model>/edge/<version>/``. The destination is a folder or any
URI that fsspec opens.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import getpass
import json
import os
import shutil
import socket
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import fsspec

from headrace.components.shared import files
from headrace.components.shared.errors import ConfigError, StorageError

EXTRA = "assets.extra/headrace"
#: TensorFlow Serving replays these requests before it serves the version.
WARMUP = "assets.extra/tf_serving_warmup_requests"
MANIFEST = f"{EXTRA}/manifest.json"
#: Versions for devices; no number, so TensorFlow Serving ignores it.
EDGE = "edge"
#: In an object store what makes a version usable comes last.
_LAST = ("saved_model.pb", "manifest.json.sig")


class ModelStore:
    """The versions of one model.

    Args:
        destination: Folder or URI above the model's own folder.
        model: Model name, as TensorFlow Serving knows it.
    """

    def __init__(self, destination: str, model: str) -> None:
        self.uri = f"{destination.rstrip('/')}/{model}"
        try:
            self._fs, self._root = fsspec.core.url_to_fs(self.uri)
        except (ImportError, ValueError) as error:
            raise ConfigError(
                f"serving.destination {destination!r} cannot be opened: {error}",
                fix="Use a folder, or install fsspec's driver for that protocol.",
            ) from None

    def versions(self) -> list[int]:
        """The pushed versions, newest first."""
        if not self._fs.isdir(self._root):
            return []
        names = (Path(entry).name for entry in self._fs.ls(self._root, detail=False))
        return sorted((int(name) for name in names if name.isdecimal()), reverse=True)

    def path(self, version: int) -> str:
        """The place of one version."""
        return f"{self._root}/{version}"

    def manifest(self, version: int) -> dict[str, Any]:
        """What was recorded at the push; empty for a version that something else put there."""
        place = f"{self.path(version)}/{MANIFEST}"
        if not self._fs.isfile(place):
            return {}
        try:
            return json.loads(self._fs.cat_file(place))  # type: ignore[no-any-return]
        except ValueError:
            raise StorageError(
                f"{place} is damaged: it is not JSON.",
                fix=f"Remove {self.path(version)}, or push that model again.",
            ) from None

    def fetch(self, version: int, target: Path, part: str = "") -> None:
        """Copies a version, or one part of it, to a local folder."""
        source = f"{self.path(version)}/{part}".rstrip("/")
        target.mkdir(parents=True, exist_ok=True)
        self._fs.get(source + "/", str(target) + "/", recursive=True)

    def push(
        self,
        saved_model: Path,
        extras: Mapping[str, Path],
        manifest: dict[str, Any],
        warmup: Path | None = None,
        bundle: Callable[[Path, int], None] | None = None,
    ) -> int:
        """Publishes a SavedModel as the next version; it appears whole or not at all.

        Args:
            saved_model: Folder of the SavedModel.
            extras: Name under ``assets.extra/headrace`` to a local file or folder.
            manifest: What to record; version, time and user are added.
            warmup: File of requests, TFRecord of PredictionLog.
            bundle: Writes what devices get of the version into a new folder. It is published
                before the version, and named as the latest after it.

        Returns:
            The new version.

        Raises:
            StorageError: the destination cannot be written.
        """
        version = max(self.versions(), default=0) + 1
        stamp = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
        record = {**manifest, "version": version, "pushed_at": stamp, "pushed_by": _who()}
        with tempfile.TemporaryDirectory(prefix="headrace-push-") as scratch:
            staged = Path(scratch) / str(version)
            with files.writing(scratch):
                shutil.copytree(saved_model, staged)
                for name, source in extras.items():
                    place = staged / EXTRA / name
                    place.parent.mkdir(parents=True, exist_ok=True)
                    copy = shutil.copytree if source.is_dir() else shutil.copy2
                    copy(source, place)
                if warmup:
                    (staged / WARMUP).parent.mkdir(exist_ok=True)
                    shutil.copyfile(warmup, staged / WARMUP)
            files.write_json(staged / MANIFEST, record)
            if bundle:
                bundle(Path(scratch) / EDGE, version)
            with files.writing(self.uri):
                if bundle:
                    self._remove(f"{EDGE}/{version}")  # of a push that was killed
                    self._publish(Path(scratch) / EDGE, f"{EDGE}/{version}")
                try:
                    self._publish(staged, str(version))
                except BaseException:
                    self._remove(f"{EDGE}/{version}")
                    raise
                if bundle:
                    self.announce(version)
        return version

    def announce(self, version: int) -> None:
        """Says which version is the newest to devices, which cannot list folders."""
        from headrace.serving.edge.bundle import POINTER, write_pointer

        place, content = f"{self._root}/{EDGE}/{POINTER}", write_pointer(version)
        if self._is_local:
            files.write_text(Path(place), content.decode())
        else:
            self._fs.pipe_file(place, content)

    def prune(self, keep: int) -> list[int]:
        """Removes all but the newest ``keep`` versions, and returns what it removed."""
        old = self.versions()[keep:]
        for version in old:
            self._fs.rm(self.path(version), recursive=True)
            self._remove(f"{EDGE}/{version}")
        return old

    def _remove(self, place: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            self._fs.rm(f"{self._root}/{place}", recursive=True)

    @property
    def _is_local(self) -> bool:
        return "file" in _protocols(self._fs)

    def _publish(self, staged: Path, place: str) -> None:
        """Makes a folder appear under the model's own, whole or not at all."""
        if self._is_local:
            self._publish_locally(staged, place)
            return
        # Object stores have no rename: there comes last what a version cannot be used without.
        every = [path for path in sorted(staged.rglob("*")) if path.is_file()]
        try:
            for file in sorted(every, key=lambda path: path.name in _LAST):
                target = f"{self._root}/{place}/{file.relative_to(staged).as_posix()}"
                self._fs.put_file(str(file), target)
        except BaseException:
            with contextlib.suppress(Exception):
                self._remove(place)
            raise

    def _publish_locally(self, staged: Path, place: str) -> None:
        # TensorFlow Serving ignores names that are not numbers, so the copy is not seen until
        # the rename.
        target = Path(self._root, place)
        hidden = target.parent / f".push-{target.name}-{dt.datetime.now().timestamp():.0f}"
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            shutil.copytree(staged, hidden)
            hidden.rename(target)
        except OSError as error:
            shutil.rmtree(hidden, ignore_errors=True)
            if target.exists():
                raise StorageError(
                    f"Version {place} of {self.uri} appeared while this push was under way.",
                    fix="Run again: the next number will be taken.",
                ) from error
            raise


def _who() -> str:
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # containers may run under a number that has no name
        user = f"uid {os.getuid()}"
    return f"{user}@{socket.gethostname()}"


def _protocols(filesystem: Any) -> tuple[str, ...]:
    protocol = filesystem.protocol
    return (protocol,) if isinstance(protocol, str) else tuple(protocol)
