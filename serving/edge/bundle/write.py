"""Writing a bundle: the files, their manifest and its signature appear together."""

from __future__ import annotations

import datetime as dt
import json
import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from headrace.components.shared import files
from headrace.components.shared.errors import StorageError
from headrace.serving.edge.bundle.manifest import (
    MANIFEST,
    SIGNATURE,
    Description,
    File,
    Manifest,
)

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

_CACHES = "__pycache__"


def write_bundle(
    contents: Path, target: Path, description: Description, *, version: int, key: Ed25519PrivateKey
) -> Manifest:
    """Copies files to ``target`` as a signed bundle, which appears whole or not at all.

    Args:
        contents: Folder of the files, and of nothing else.
        target: The bundle's folder; must not exist.
        description: What the manifest says besides.
        version: That of the pushed SavedModel.
        key: Signs the manifest.

    Returns:
        The manifest that was written.

    Raises:
        StorageError: ``target`` exists, or cannot be written.
        BundleError: the description does not fit the files.
    """
    if target.exists():
        raise StorageError(f"{target} exists.", fix="Write the bundle to a new version.")
    hidden = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    shutil.rmtree(hidden, ignore_errors=True)
    try:
        with files.writing(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copytree(contents, hidden, ignore=shutil.ignore_patterns(_CACHES))
            manifest = _manifest(hidden, description, version)
            (hidden / MANIFEST).write_bytes(manifest.to_json())
            (hidden / SIGNATURE).write_bytes(key.sign(manifest.to_json()))
            hidden.rename(target)
    finally:
        shutil.rmtree(hidden, ignore_errors=True)
    return manifest


def _manifest(folder: Path, description: Description, version: int) -> Manifest:
    values = {
        **description.model_dump(mode="json"),
        "format": 1,
        "version": version,
        "created": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "files": {
            path.relative_to(folder).as_posix(): File.of(path).model_dump()
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        },
    }
    # Through the same door as a device reads it, so that nothing unreadable is ever signed.
    return Manifest.from_json(json.dumps(values).encode(), where=str(folder))
