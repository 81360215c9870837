"""The audit trail: an append-only file of JSON lines, each with the hash of the line before.

Whoever changes, removes or inserts a line breaks the chain from there on, and
:func:`read_trail` says where. Cutting off the end leaves a valid chain: keep the last hash
elsewhere when that matters.
"""

from __future__ import annotations

import datetime as dt
import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from headrace.components.shared import files
from headrace.components.shared.errors import DataError

_BEGINNING = "0" * 64
_TAIL = 1 << 16


@dataclass(frozen=True)
class Event:
    """Something that happened to a version of a model.

    Attributes:
        what: ``pushed``; a state of the model server such as ``available``; ``configured``,
            ``removed``, ``labelled``, ``unlabelled``; ``server started`` and ``server stopped``;
            ``answering`` (a gateway has switched to it), ``unreachable`` (its model server is
            down) and ``stopped`` (that gateway has ended).
        model: The model's name; empty for what happened to a whole server.
        version: The version; 0 for what happened to no version.
        actor: Who or what did it, or saw it.
        at: When it happened (ISO 8601); empty for the time at which it is recorded.
        detail: More about it.
    """

    what: str
    model: str
    version: int
    actor: str
    at: str = ""
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Entry:
    """An event as it was recorded.

    Attributes:
        event: The event.
        recorded: When it was recorded.
        hash: Of this entry and thereby of all before.
    """

    event: Event
    recorded: dt.datetime
    hash: str

    @property
    def time(self) -> dt.datetime:
        """When it happened."""
        return dt.datetime.fromisoformat(self.event.at) if self.event.at else self.recorded


class Trail:
    """Appends to the file; several processes may at once."""

    def __init__(self, path: Path) -> None:
        """Prepares; the file is made with the first entry.

        Args:
            path: The file.
        """
        self.path = path

    def record(self, event: Event) -> None:
        """Appends an event and waits until the disk has it.

        An event with a time of its own (a push) that is the same as one that is there already is
        not recorded again.

        Raises:
            StorageError: the file cannot be written.
        """
        with files.writing(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("a+b") as stream:
                fcntl.flock(stream, fcntl.LOCK_EX)
                previous = _last_hash(stream)
                if event.at and _has(stream, event):
                    return
                stream.write(_line(event, previous))
                stream.flush()
                os.fsync(stream.fileno())


def read_trail(path: Path) -> Iterator[Entry]:
    """The entries, oldest first.

    Raises:
        DataError: an entry was changed, or one is missing.
    """
    if not path.exists():
        return
    before = _BEGINNING
    for number, line in enumerate(path.read_bytes().splitlines(), start=1):
        try:
            values = json.loads(line)
            recorded = values.pop("hash")
            intact = values["previous"] == before and _hash(values) == recorded
        except (ValueError, KeyError, TypeError, AttributeError):
            intact = False
        if not intact:
            raise DataError(
                f"{path}, line {number}: the chain of hashes is broken: this line was changed, or "
                "lines before it were.",
                fix="Compare with a backup. What comes after cannot be trusted.",
            )
        before = recorded
        yield _entry(values, recorded)


def _entry(values: Mapping[str, Any], digest: str) -> Entry:
    names = ("what", "model", "version", "actor", "at", "detail")
    event = Event(**{name: values[name] for name in names})
    return Entry(event, dt.datetime.fromisoformat(values["recorded"]), digest)


def _line(event: Event, previous: str) -> bytes:
    values = {
        "recorded": dt.datetime.now(dt.UTC).isoformat(timespec="milliseconds"),
        "what": event.what,
        "model": event.model,
        "version": event.version,
        "actor": event.actor,
        "at": event.at,
        "detail": dict(event.detail),
        "previous": previous,
    }
    return json.dumps({**values, "hash": _hash(values)}).encode() + b"\n"


def _hash(values: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def _last_hash(stream: IO[bytes]) -> str:
    """The hash of the last whole line; a line that a crash has cut off is ended."""
    size = stream.seek(0, os.SEEK_END)
    if not size:
        return _BEGINNING
    stream.seek(max(0, size - _TAIL))
    tail = stream.read()
    if not tail.endswith(b"\n"):
        # Never synced, so never acknowledged.
        whole = size - len(tail) + tail.rfind(b"\n") + 1
        stream.truncate(whole)
        return _last_hash(stream)
    return str(json.loads(tail.splitlines()[-1])["hash"])


def _has(stream: IO[bytes], event: Event) -> bool:
    stream.seek(0)
    wanted = (event.what, event.model, event.version, event.at)
    for line in stream:
        values = json.loads(line)
        if tuple(values[name] for name in ("what", "model", "version", "at")) == wanted:
            return True
    return False
