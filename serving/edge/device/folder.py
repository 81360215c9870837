"""The folder on a device: whole versions, and links that say which one answers.

``versions/7/`` is a bundle, ``current`` and ``previous`` are links to versions, ``downloads/``
holds what has arrived of others, ``rejected/8`` says why a version is not taken again.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from headrace.components.shared import files
from headrace.serving.edge.bundle import MANIFEST, BundleError, Manifest
from headrace.serving.edge.device.errors import UpdateError

_CURRENT = "current"
_PREVIOUS = "previous"
_WAY_OUT = "Free space or make it writable, and update again; what answered goes on answering."


class DeviceFolder:
    """The versions on this device.

    Args:
        root: The folder; made when it is first written.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.current = root / _CURRENT

    def active(self) -> int | None:
        """The version that answers, or should."""
        return self._linked(_CURRENT)

    def previous(self) -> int | None:
        """The version that answered before."""
        return self._linked(_PREVIOUS)

    def model(self) -> str | None:
        """The name of the active model, as far as its manifest can be read."""
        try:
            content = (self.current / MANIFEST).read_bytes()
            return Manifest.from_json(content, where=str(self.current)).model
        except (OSError, BundleError):
            return None

    def path(self, version: int) -> Path:
        """Where the bundle of a version is."""
        return self.root / "versions" / str(version)

    def arriving(self, version: int) -> Path:
        """Where the files of a version are put as they arrive."""
        return self.root / "downloads" / str(version)

    def part(self, sha256: str) -> Path:
        """What has arrived of the file with this digest."""
        return self.root / "downloads" / "parts" / sha256

    def rejection(self, version: int) -> str | None:
        """Why this device has rejected a version."""
        try:
            return self._rejected(version).read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            return None

    @contextlib.contextmanager
    def updating(self) -> Iterator[None]:
        """Keeps other updates away, and says clearly when the folder cannot be written.

        Raises:
            UpdateError: another update is under way.
            StorageError: the folder cannot be written.
        """
        with files.writing(self.root, way_out=_WAY_OUT):
            self.root.mkdir(parents=True, exist_ok=True)
            try:
                with self._locked(".update.lock", fcntl.LOCK_NB):
                    yield
            except BlockingIOError:
                raise UpdateError(
                    f"Another update of {self.root} is under way.", fix="Wait until it has ended."
                ) from None

    def install(self, version: int) -> None:
        """Moves a version that has arrived to its place; a damaged one there makes way."""
        arrived, place = self.arriving(version), self.path(version)
        for folder in (arrived, *(path for path in arrived.rglob("*") if path.is_dir())):
            _sync(folder)
        place.parent.mkdir(exist_ok=True)
        if place.exists():
            damaged = arrived.with_name("damaged")
            shutil.rmtree(damaged, ignore_errors=True)
            place.replace(damaged)
        arrived.replace(place)
        _sync(place.parent)

    def activate(self, version: int) -> None:
        """Makes an installed version the one that answers; a crash leaves the one or the other."""
        with self._locked(".links.lock"):
            active = self.active()
            if active not in (None, version):
                self._link(_PREVIOUS, active)
            self._rejected(version).unlink(missing_ok=True)
            self._link(_CURRENT, version)

    def roll_back(self, version: int, reason: str) -> None:
        """Rejects a version; if it is the active one, the previous one, if any, answers again."""
        with self._locked(".links.lock"):
            if self.active() == version:
                good = self.previous()
                if good in (None, version):
                    self.current.unlink()
                else:
                    self._link(_CURRENT, good)
            files.write_text(self._rejected(version), f"{reason}\n")

    def clean(self) -> None:
        """Removes versions that neither answer nor answered before, and what had arrived."""
        keep = {str(version) for version in (self.active(), self.previous())}
        for path in (self.root / "versions").iterdir():
            if path.name not in keep:
                shutil.rmtree(path, ignore_errors=True)
        shutil.rmtree(self.root / "downloads", ignore_errors=True)

    def _rejected(self, version: int) -> Path:
        return self.root / "rejected" / str(version)

    def _linked(self, name: str) -> int | None:
        try:
            version = int((self.root / name).readlink().name)
        except (OSError, ValueError):  # there is no link, or it is none of ours
            return None
        return version if self.path(version).is_dir() else None

    def _link(self, name: str, version: int | None) -> None:
        temporary = self.root / f".{name}.{os.getpid()}"
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(Path("versions", str(version)))
        temporary.replace(self.root / name)
        _sync(self.root)

    @contextlib.contextmanager
    def _locked(self, name: str, how: int = 0) -> Iterator[None]:
        # The system lets go of the lock when the process ends, however it ends.
        with (self.root / name).open("w") as stream:
            fcntl.flock(stream, fcntl.LOCK_EX | how)
            yield


def _sync(folder: Path) -> None:
    """Waits until the names in a folder are on the disk, for the day the power fails."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
