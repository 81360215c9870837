"""Where runs live on disk, who owns them, and what a dead run left behind.

A run holds a lock on a file in its folder for as long as its process lives. The kernel releases
it however the process ends, so a lock tells the living from the dead without process ids.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from headrace.components.shared.errors import ConfigError, StorageError
from headrace.pipelines.local.records import RUN_FILE, RunRecord, State

_LOCK = "lock"
_PATIENCE = (0.0, 0.02, 0.05, 0.1)
_ID_LENGTH = len("20260101-000000-abcdef")


def new_run_id() -> str:
    """A run id that sorts by time: the last part starts with the fraction of the second."""
    moment = datetime.now(UTC)
    fraction = moment.microsecond * 0x10000 // 1_000_000
    return f"{moment:%Y%m%d-%H%M%S}-{fraction:04x}{secrets.token_hex(1)}"


class Home:
    """The folder that holds runs and finished steps."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()
        self.runs = self.path / "runs"
        self.steps = self.path / "steps"
        self.partial = self.steps / ".partial"

    def prepare(self) -> None:
        """Creates the folders."""
        try:
            self.runs.mkdir(parents=True, exist_ok=True)
            self.partial.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(
                f"Runs cannot be kept in {self.path}: {error.strerror}.",
                fix="Free space there, make it writable, or choose another home folder.",
            ) from error

    @contextlib.contextmanager
    def owned(self, run_id: str) -> Iterator[None]:
        """Holds a run's lock, and keeps ``clean`` away from the home meanwhile.

        Raises:
            ConfigError: The run is going on in another process.
        """
        folder = self.runs / run_id
        folder.mkdir(parents=True, exist_ok=True)
        with self.shared(), (folder / _LOCK).open("a") as stream:
            # Somebody may be looking, for a moment, whether this run is alive.
            if not any(_try_lock(stream, fcntl.LOCK_EX, wait=wait) for wait in _PATIENCE):
                raise ConfigError(
                    f"Run {run_id} is still going on in another process.",
                    fix="Wait for it to end, or stop it first.",
                )
            yield

    @contextlib.contextmanager
    def shared(self) -> Iterator[None]:
        """Marks the home as in use."""
        with (self.path / _LOCK).open("a") as stream:
            if not _try_lock(stream, fcntl.LOCK_SH):
                raise ConfigError(
                    f"{self.path} is being cleaned.", fix="Try again when that has ended."
                )
            yield

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[None]:
        """Holds the home while no run is going on in it.

        Raises:
            ConfigError: A run is going on.
        """
        with (self.path / _LOCK).open("a") as stream:
            if not _try_lock(stream, fcntl.LOCK_EX):
                raise ConfigError(
                    f"A run is going on in {self.path}.", fix="Wait for it to end, then try again."
                )
            yield

    def is_alive(self, run_id: str) -> bool:
        """Whether the process that owns a run is still there."""
        try:
            with (self.runs / run_id / _LOCK).open("a") as stream:
                return not _try_lock(stream, fcntl.LOCK_SH)
        except FileNotFoundError:
            return False

    def remove_leftovers(self, own: str) -> None:
        """Removes unfinished steps of dead runs, and of the run that starts now."""
        alive = {own: False}
        for entry in self.partial.iterdir():
            owner = entry.name[:_ID_LENGTH]
            if owner not in alive:
                alive[owner] = self.is_alive(owner)
            if not alive[owner]:
                shutil.rmtree(entry, ignore_errors=True)

    def discard(self, folder: Path) -> None:
        """Removes a folder; it disappears from its place at once and whole."""
        trash = self.partial / f"{'0' * _ID_LENGTH}-{secrets.token_hex(6)}"
        with contextlib.suppress(FileNotFoundError):
            os.rename(folder, trash)
            shutil.rmtree(trash, ignore_errors=True)

    def read(self, run_id: str) -> RunRecord:
        """A run's record; one whose process has died is shown as interrupted."""
        file = self.runs / run_id / RUN_FILE
        try:
            run = RunRecord.model_validate_json(file.read_text(encoding="utf-8"))
        except ValueError as error:
            raise StorageError(
                f"{file} cannot be read: {str(error).splitlines()[0]}.",
                fix="It was damaged or written by another version: remove that run's folder.",
            ) from error
        # The folder may have been moved or mounted elsewhere since.
        run.home = str(self.path)
        if run.state is State.RUNNING and not self.is_alive(run_id):
            run.state = State.INTERRUPTED
            for task in run.tasks.values():
                if task.state is State.RUNNING:
                    task.state = State.INTERRUPTED
        return run

    def run_ids(self) -> list[str]:
        """Ids of all runs, newest first."""
        if not self.runs.is_dir():
            return []
        found = (entry for entry in self.runs.iterdir() if (entry / RUN_FILE).is_file())
        return sorted((entry.name for entry in found), reverse=True)

    def find(self, wanted: str) -> RunRecord:
        """The run with this id, unique prefix of it, or ``latest``.

        Raises:
            ConfigError: There is no such run, or more than one.
        """
        ids = self.run_ids()
        if wanted == "latest" and ids:
            return self.read(ids[0])
        matches = [run_id for run_id in ids if run_id.startswith(wanted)]
        if wanted in matches or len(matches) == 1:
            return self.read(wanted if wanted in matches else matches[0])
        listing = ", ".join((matches or ids)[:5]) or "none yet"
        raise ConfigError(
            f"{'More than one run starts' if matches else 'No run starts'} with `{wanted}` "
            f"in {self.path}.",
            fix=f"Give one of: {listing}.",
        )


def _try_lock(stream: IO[str], kind: int, *, wait: float = 0.0) -> bool:
    time.sleep(wait)
    try:
        fcntl.flock(stream, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
