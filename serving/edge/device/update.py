"""One update over the air: fetch, check, try, swap; or keep what answers."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from headrace.serving.edge.bundle import (
    MANIFEST,
    SIGNATURE,
    BundleError,
    Manifest,
    check_bundle,
    check_manifest,
)
from headrace.serving.edge.device.conditions import (
    require_newer,
    require_runtime,
    require_space,
)
from headrace.serving.edge.device.errors import KEEPS, SelfTestError
from headrace.serving.edge.device.folder import DeviceFolder
from headrace.serving.edge.device.source import Source
from headrace.serving.edge.device.trial import try_bundle

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey


@dataclass(frozen=True)
class Outcome:
    """What an update came to.

    Attributes:
        version: The version that is active now.
        before: The one that was; the same when there was nothing to do, None when there was none.
        transferred: Bytes of the bundle's files that came over the network.
    """

    version: int
    before: int | None
    transferred: int


def update(
    url: str,
    to: Path,
    keys: Sequence[Ed25519PublicKey],
    *,
    version: int | None = None,
    variant: str | None = None,
) -> Outcome:
    """Makes the newest version the active one; whatever happens, a good version stays active.

    Args:
        url: The folder ``edge`` beside a pushed model: ``http://``, ``https://``, ``file://``.
        to: The device's folder.
        keys: Trusted public keys.
        version: This version, even if it is older or was rejected; None is the newest.
        variant: The variant that is going to answer here; None is the version's default.

    Raises:
        UpdateError: the server does not answer, or what it offers is not newer or was rejected.
        BundleError: what it offers is not what a trusted key has signed.
        SelfTestError: the version does not work on this device.
        StorageError: the folder cannot be written.
    """
    folder = DeviceFolder(to)
    with folder.updating(), Source(url) as source:
        active = folder.active()
        wanted = source.latest() if version is None else version
        there = _intact(folder, wanted, keys)
        if active == wanted and there:
            return Outcome(wanted, active, source.transferred)
        if version is None:
            require_newer(folder, wanted, url)
        manifest = there or _announced(source, folder, wanted, keys)
        chosen = variant or manifest.default
        require_runtime(manifest, chosen)
        if there is None:
            _fetch(source, folder, manifest, keys)
        _swap(folder, manifest, chosen)
        return Outcome(wanted, active, source.transferred)


def _intact(
    folder: DeviceFolder, version: int, keys: Sequence[Ed25519PublicKey]
) -> Manifest | None:
    """The manifest of a version that is here already, and whole."""
    try:
        return check_bundle(folder.path(version), keys)
    except BundleError:
        return None


def _announced(
    source: Source, folder: DeviceFolder, version: int, keys: Sequence[Ed25519PublicKey]
) -> Manifest:
    """The signed manifest of a version on the server, kept where the version arrives."""
    content, signature = source.manifest(version)
    where = f"{source.url}/{version}"
    manifest = check_manifest(content, signature, keys, where=where)
    model = folder.model() or manifest.model
    if (manifest.model, manifest.version) != (model, version):
        raise BundleError(
            f"{where} holds {manifest.model} version {manifest.version}; expected {model} "
            f"version {version}.",
            fix="Is that the address of this device's model? One folder holds one model.",
        )
    arriving = folder.arriving(version)
    if not (arriving / MANIFEST).exists() or (arriving / MANIFEST).read_bytes() != content:
        shutil.rmtree(arriving, ignore_errors=True)  # of another version with this number
    arriving.mkdir(parents=True, exist_ok=True)
    (arriving / MANIFEST).write_bytes(content)
    (arriving / SIGNATURE).write_bytes(signature)
    return manifest


def _fetch(
    source: Source, folder: DeviceFolder, manifest: Manifest, keys: Sequence[Ed25519PublicKey]
) -> None:
    """Downloads what has not arrived yet, and installs the version; it is not active."""
    version = manifest.version
    arriving = folder.arriving(version)
    missing = {
        name: file for name, file in manifest.files.items() if not file.is_at(arriving / name)
    }
    parts = (folder.part(file.sha256) for file in missing.values())
    here = sum(part.stat().st_size for part in parts if part.exists())
    require_space(folder.root, sum(file.bytes for file in missing.values()) - here)
    for name, file in missing.items():
        source.fetch(f"{version}/{name}", file, folder.part(file.sha256), arriving / name)
    check_bundle(arriving, keys)
    folder.install(version)


def _swap(folder: DeviceFolder, manifest: Manifest, variant: str) -> None:
    """Swaps when the self-test passes; tries again when the version is the one that answers."""
    version = manifest.version
    try:
        try_bundle(folder.path(version), manifest, variant)
        folder.activate(version)
        try_bundle(folder.path(version), manifest, variant)
    except SelfTestError as error:
        folder.roll_back(version, error.message)
        raise
    finally:
        folder.clean()
    # The program that answers follows the swap in its own time, and may have undone it.
    rejection = folder.rejection(version)
    if rejection is not None:
        raise SelfTestError(
            f"{manifest.model} version {version} was rolled back: {rejection}", fix=KEEPS
        )
