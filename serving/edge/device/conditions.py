"""What must hold before a version is fetched or tried."""

from __future__ import annotations

import importlib.metadata
import re
import shutil
from pathlib import Path

from headrace.components.shared.errors import ConfigError, StorageError
from headrace.serving.edge.bundle import Manifest
from headrace.serving.edge.device.errors import UpdateError
from headrace.serving.edge.device.folder import DeviceFolder


def require_newer(folder: DeviceFolder, offered: int, url: str) -> None:
    """Refuses what is older than the active version, or was rejected here.

    Raises:
        UpdateError: it is.
    """
    active, rejection = folder.active(), folder.rejection(offered)
    named = f"If it is really wanted, name it: --version {offered}."
    if active is not None and offered < active:
        raise UpdateError(
            f"{url} offers version {offered}, which is older than the active {active}.", fix=named
        )
    if rejection is not None:
        raise UpdateError(
            f"{url} offers version {offered}, which this device has rejected: {rejection}",
            fix=f"Push a better one. {named}",
        )


def require_runtime(manifest: Manifest, variant: str) -> None:
    """Refuses a version whose variant this device cannot run.

    Raises:
        ConfigError: the version has no such variant.
        UpdateError: a library is missing here, or too old.
    """
    if variant not in manifest.variants:
        raise ConfigError(
            f"{manifest.model} version {manifest.version} has no variant {variant!r}.",
            fix=f"It has: {', '.join(sorted(manifest.variants))}.",
        )
    onnx = manifest.variants[variant].file.endswith(".onnx")
    for library in ("onnxruntime" if onnx else "ai_edge_litert", "numpy"):
        needed = manifest.runtime.get(library, ">=0")
        try:
            found = importlib.metadata.version(library)
        except importlib.metadata.PackageNotFoundError:
            found = ""
        if not found or _release(found) < _release(needed.removeprefix(">=")):
            raise UpdateError(
                f"{manifest.model} version {manifest.version} needs {library}{needed}; this "
                f"device has {found or 'none'}.",
                fix=f"Install it: pip install '{library}{needed}'.",
            )


def require_space(folder: Path, needed: int) -> None:
    """Refuses to fill the disk, which others on the device need too.

    Args:
        folder: Where the version goes.
        needed: Bytes.

    Raises:
        StorageError: there is not that much free.
    """
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise StorageError(
            f"{folder} has {free:,} bytes free, and the new version needs {needed:,}.",
            fix="Free space, and update again; what answered goes on answering.",
        )


def _release(version: str) -> tuple[int, ...]:
    """The numbers of a version: those of 2.10.0rc1 are 2 and 10; `packaging` may not be here."""
    numbers = re.match(r"\d+(\.\d+)*", version)
    return tuple(map(int, re.sub(r"(\.0+)+$", "", numbers[0]).split("."))) if numbers else ()
