"""Buckets as folders, and where the launcher puts their objects in a container."""

from __future__ import annotations

import shutil
from pathlib import Path

#: Scheme of a URI to the folder at the container's root, ``LocalPathForURI`` in the launcher.
MOUNTS = {"minio": "/minio", "s3": "/s3", "gs": "/gcs"}


def local_path(uri: str) -> str:
    """Where a container finds the object."""
    scheme, _, key = uri.partition("://")
    return f"{MOUNTS[scheme]}/{key}"


class ObjectStore:
    """Objects below a folder. As in any bucket there are files only, an empty folder is nothing."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def path(self, uri: str) -> Path:
        """Where the object, or the objects with that prefix, are kept."""
        return self._root / uri.replace("://", "/")

    def upload(self, local: Path, uri: str) -> bool:
        """Copies a file or a folder into the bucket; False when there is nothing at ``local``."""
        if local.is_file():
            _copy(local, self.path(uri))
        elif local.is_dir():
            for entry in local.iterdir():
                self.upload(entry, f"{uri}/{entry.name}")
        return local.exists()

    def download(self, uri: str, local: Path) -> None:
        """Copies the objects at ``uri``; without any, nothing appears at ``local``."""
        stored = self.path(uri)
        files = [stored] if stored.is_file() else [p for p in stored.rglob("*") if p.is_file()]
        for file in files:
            _copy(file, local / file.relative_to(stored))


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
