"""Writing whole files, and saying clearly why a place cannot be written."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from headrace.components.shared.errors import StorageError

_REASONS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EROFS: "the file system is read-only",
    errno.EACCES: "permission is denied",
    errno.EPERM: "permission is denied",
}


@contextlib.contextmanager
def writing(place: Path | str) -> Iterator[None]:
    """Turns the operating system's refusal to write ``place`` into a :class:`StorageError`."""
    try:
        yield
    except OSError as error:
        reason = _REASONS.get(error.errno or 0)
        if reason is None:
            raise
        raise StorageError(
            f"{place} cannot be written: {reason}.",
            fix="Free space, or choose another place with --home, and run again with --resume.",
        ) from error


def write_text(path: Path, text: str) -> None:
    """Writes ``path`` whole or not at all."""
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)


def write_json(path: Path, value: Any) -> None:
    """Writes ``value`` as JSON with stable key order, whole or not at all."""
    write_text(path, json.dumps(value, indent=2, sort_keys=True, default=str) + "\n")


def read_json(path: Path) -> Any:
    """Reads a JSON file that Headrace wrote."""
    return json.loads(path.read_text(encoding="utf-8"))


def digest(path: Path) -> str:
    """BLAKE2 of a file, or of every name and file in a folder; the same content, the same digest."""
    result = hashlib.blake2b(digest_size=20)
    members = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    for member in members:
        name = "" if member == path else member.relative_to(path).as_posix()
        with member.open("rb") as file:
            content = hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=20))
        result.update(f"{name}\0{content.hexdigest()}\n".encode())
    return result.hexdigest()
