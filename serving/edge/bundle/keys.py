"""Ed25519 keys: the private one signs bundles, devices hold the public one."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from headrace.components.shared import files
from headrace.components.shared.errors import ConfigError

#: The PEM file of the private key, or its content, as a secret of a cluster gives it.
VARIABLE = "HEADRACE_EDGE_SIGNING_KEY"
PRIVATE = "edge-signing-key.pem"
PUBLIC = "edge-public-key.pem"

_BLOCK = re.compile(rb"-----BEGIN [A-Z ]+-----.+?-----END [A-Z ]+-----", re.DOTALL)


def signing_key(home: Path | None = None) -> Ed25519PrivateKey:
    """The key that signs: the one that the environment names, else the home's, made once.

    Args:
        home: The run home; None where there is none that lasts, as on a cluster.

    Raises:
        ConfigError: there is no key, or the file holds none.
        StorageError: the home cannot be written.
    """
    given = os.environ.get(VARIABLE, "")
    if _BLOCK.search(given.encode()):
        return _private(given.encode(), f"${VARIABLE}")
    if given:
        return _read_private(Path(given))
    if home is None:
        raise ConfigError(
            f"There is no key to sign a bundle for devices with: {VARIABLE} is not set.",
            fix="Make one with `headrace edge keygen`, and mount it where that variable says.",
        )
    path = home / PRIVATE
    if not path.exists():
        generate_keys(home)
    return _read_private(path)


def generate_keys(folder: Path) -> tuple[Path, Path]:
    """Writes a new pair of keys, unless there is a private one already.

    Returns:
        The file of the private key (mode 0600), and that of the public one.

    Raises:
        ConfigError: there is a private key; it is never overwritten.
        StorageError: the folder cannot be written.
    """
    private, public = folder / PRIVATE, folder / PUBLIC
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    with files.writing(private):
        folder.mkdir(parents=True, exist_ok=True)
        with os.fdopen(_exclusive(private), "wb") as stream:
            stream.write(pem)
    files.write_text(public, public_pem(key.public_key()))
    return private, public


def public_pem(key: Ed25519PublicKey) -> str:
    """A public key as PEM, as devices get it."""
    return key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    ).decode()


def read_public_keys(path: Path) -> Sequence[Ed25519PublicKey]:
    """Every public key in a PEM file; several are trusted alike while keys are exchanged.

    Raises:
        ConfigError: the file cannot be read, or holds anything but Ed25519 public keys.
    """
    keys = []
    try:
        for block in _BLOCK.findall(path.read_bytes()):
            key = serialization.load_pem_public_key(block)
            if not isinstance(key, Ed25519PublicKey):
                raise ValueError("another kind of key")
            keys.append(key)
        if not keys:
            raise ValueError("no key")
    except (OSError, ValueError, UnsupportedAlgorithm) as error:
        raise ConfigError(
            f"{path} is no PEM file of Ed25519 public keys: {error}.",
            fix=f"Use the {PUBLIC} of the pair that signs; `headrace edge keygen` makes one.",
        ) from None
    return keys


def _exclusive(path: Path) -> int:
    """Opens a new file that only its owner may read."""
    try:
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise ConfigError(
            f"{path} exists, and devices may trust it.",
            fix="Use it, or write the new pair to another folder.",
        ) from None


def _read_private(path: Path) -> Ed25519PrivateKey:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise _no_key(str(path), error) from None
    return _private(content, str(path))


def _private(content: bytes, where: str) -> Ed25519PrivateKey:
    try:
        key = serialization.load_pem_private_key(content, password=None)
        if not isinstance(key, Ed25519PrivateKey):
            raise ValueError("another kind of key")
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise _no_key(where, error) from None
    return key


def _no_key(where: str, error: Exception) -> ConfigError:
    return ConfigError(
        f"{where} is no PEM file of an Ed25519 private key: {error}.",
        fix=f"Make one with `headrace edge keygen`, and name it in {VARIABLE}.",
    )
