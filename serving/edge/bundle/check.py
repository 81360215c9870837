"""Checking a bundle: first the signature, then that every file is the one that was signed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidSignature

from headrace.serving.edge.bundle.errors import BundleError, SignatureError
from headrace.serving.edge.bundle.manifest import MANIFEST, SIGNATURE, File, Manifest

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

_AGAIN = "Fetch it again; do not use what is there."
#: Python leaves these where somebody ran the example; devices neither read nor fetch them.
_CACHES = "__pycache__"


def check_manifest(
    content: bytes, signature: bytes, keys: Sequence[Ed25519PublicKey], *, where: str
) -> Manifest:
    """Reads a manifest, after its signature is found to be that of a trusted key.

    Args:
        content: Bytes of ``manifest.json``.
        signature: Bytes of ``manifest.json.sig``.
        keys: Trusted keys; one of them must have signed.
        where: Where the bundle is, for the message.

    Raises:
        SignatureError: none of them has signed these bytes.
        BundleError: the signed manifest is not usable.
    """
    if not any(_signed(content, signature, key) for key in keys):
        raise SignatureError(
            f"The manifest of {where} is not signed by a trusted key, or was changed afterwards.",
            fix="Do not use it. Is it the public key of the pair that the pusher signs with?",
        )
    return Manifest.from_json(content, where=where)


def check_bundle(folder: Path, keys: Sequence[Ed25519PublicKey]) -> Manifest:
    """Checks the signature, and that the files are those of the manifest: none more, none less.

    Args:
        folder: The bundle.
        keys: Trusted keys; one of them must have signed.

    Returns:
        Its manifest.

    Raises:
        SignatureError: the signature is missing, or not that of a trusted key.
        BundleError: a file was changed, is missing, or should not be there.
    """
    try:
        content, signature = ((folder / name).read_bytes() for name in (MANIFEST, SIGNATURE))
    except OSError as error:
        raise SignatureError(
            f"{folder} is no signed bundle: {error.filename} cannot be read ({error.strerror}).",
            fix="Name the folder that holds manifest.json and manifest.json.sig.",
        ) from None
    manifest = check_manifest(content, signature, keys, where=str(folder))
    _check_names(folder, manifest)
    for name, expected in manifest.files.items():
        found = File.of(folder / name)
        if found != expected:
            raise BundleError(
                f"{folder / name} is not the file that was signed: expected "
                f"{expected.bytes} bytes with SHA-256 {expected.sha256}, got {found.bytes} bytes "
                f"with {found.sha256}.",
                fix=_AGAIN,
            )
    return manifest


def _check_names(folder: Path, manifest: Manifest) -> None:
    expected = {MANIFEST, SIGNATURE, *manifest.files}
    found = set()
    for path in folder.rglob("*"):
        name = path.relative_to(folder)
        if path.is_symlink():
            raise BundleError(f"{path} is a link, and may lead out of the bundle.", fix=_AGAIN)
        if not path.is_dir() and _CACHES not in name.parts:
            found.add(name.as_posix())
    for what, names in (("lacks", expected - found), ("has besides", found - expected)):
        if names:
            raise BundleError(f"{folder} {what} {', '.join(sorted(names))}.", fix=_AGAIN)


def _signed(content: bytes, signature: bytes, key: Ed25519PublicKey) -> bool:
    try:
        key.verify(signature, content)
    except InvalidSignature:
        return False
    return True
