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

from headrace.components.shared.errors import HeadraceError, StorageError

_CHUNK = 1 << 20
_REASONS = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EROFS: "the file system is read-only",
    errno.EACCES: "permission is denied",
    errno.EPERM: "permission is denied",
}

_WAY_OUT = (
    "Free space or make it writable, or choose another place (--home, or serving.destination "
    "for pushed models); then continue with `--resume latest`."
)


@contextlib.contextmanager
def writing(place: Path | str, *, way_out: str = _WAY_OUT) -> Iterator[None]:
    """Turns the operating system's refusal to write ``place`` into a :class:`StorageError`.

    Libraries that write by themselves raise their own kinds of errors; these are recognised by
    the system's words in them.
    """
    try:
        yield
    except HeadraceError:
        raise
    except Exception as error:
        reason = refusal(error)
        if reason is None:
            raise
        raise StorageError(f"{place} cannot be written: {reason}.", fix=way_out) from error


def refusal(error: BaseException) -> str | None:
    """Why the operating system refused to write, if that is what ``error`` is about."""
    code = getattr(error, "errno", None)
    if code in _REASONS:
        return _REASONS[code]
    if isinstance(error, NotADirectoryError | FileExistsError):
        return "a file is where a folder should be"
    # Neither shutil.Error, which lists all that failed, nor the errors of C++ libraries have one.
    text = str(error)
    return next((why for code, why in _REASONS.items() if os.strerror(code) in text), None)


def disk_error(error: BaseException) -> StorageError | None:
    """The same for an error from anywhere, when it is about the disk itself."""
    reason = refusal(error)
    if reason not in {_REASONS[code] for code in (errno.ENOSPC, errno.EDQUOT, errno.EROFS)}:
        return None
    name = getattr(error, "filename", None)
    return StorageError(f"{name or 'A file'} cannot be written: {reason}.", fix=_WAY_OUT)


def write_text(path: Path, text: str) -> None:
    """Writes ``path`` whole or not at all."""
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        try:
            temporary.write_text(text, encoding="utf-8")
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """Writes ``value`` as JSON with stable key order, whole or not at all."""
    write_text(path, json.dumps(value, indent=2, sort_keys=True, default=str) + "\n")


def read_json(path: Path) -> Any:
    """Reads a JSON file that Headrace wrote."""
    return json.loads(path.read_text(encoding="utf-8"))


def digest(path: Path) -> str:
    """BLAKE2b over the relative names and the bytes of a file or a folder; empty if missing."""
    if not path.exists():
        return ""
    result = hashlib.blake2b(digest_size=20)
    for member in sorted(path.rglob("*")) if path.is_dir() else [path]:
        name = member.relative_to(path).as_posix()
        size = member.stat().st_size if member.is_file() else -1
        # Name and size up front, so that no two trees run together into the same bytes.
        result.update(f"{name}\0{size}\0".encode())
        if size >= 0:
            with member.open("rb") as stream:
                while chunk := stream.read(_CHUNK):
                    result.update(chunk)
    return result.hexdigest()
