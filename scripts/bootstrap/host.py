"""What this machine is, and which of the two set-ups it can have."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

REQUIRED_GLIBC = (2, 39)
SUPPORTED_PYTHON = ((3, 11), (3, 14))
IMAGES = "debian:trixie or ubuntu:24.04"

#: The oldest release of the same distribution whose C and C++ runtime is new enough.
DONOR_SUITES = {
    "debian": {"bookworm": "trixie", "bullseye": "trixie"},
    "ubuntu": {"jammy": "noble", "focal": "noble"},
}
KEYRINGS = {
    "debian": Path("/usr/share/keyrings/debian-archive-keyring.gpg"),
    "ubuntu": Path("/usr/share/keyrings/ubuntu-archive-keyring.gpg"),
}


class UnsupportedHostError(Exception):
    """The environment cannot be set up here; the message says what is required."""


class Strategy(Enum):
    """How the environment gets a C runtime that the wheels accept."""

    PLAIN = "plain virtual environment"
    RUNTIME = "virtual environment on a project-local glibc"


@dataclass(frozen=True)
class Host:
    """The facts that the decision depends on."""

    system: str
    machine: str
    python: tuple[int, int]
    glibc: tuple[int, int] | None
    distribution: str
    codename: str
    tools: frozenset[str]
    keyring: bool

    @classmethod
    def detect(cls) -> Host:
        """Reads the facts off this machine."""
        release = _os_release()
        distribution = release.get("ID", "")
        keyring = KEYRINGS.get(distribution)
        return cls(
            system=platform.system(),
            machine=platform.machine(),
            python=sys.version_info[:2],
            glibc=_glibc_version(),
            distribution=distribution,
            codename=release.get("VERSION_CODENAME", ""),
            tools=frozenset(t for t in ("apt-get", "dpkg-deb") if shutil.which(t)),
            keyring=keyring is not None and keyring.is_file(),
        )


def decide(host: Host) -> Strategy:
    """Chooses the set-up for ``host``.

    Raises:
        UnsupportedHostError: no set-up works; the message says what is required and what works.
    """
    if host.system != "Linux" or host.machine != "x86_64":
        raise _unsupported(f"Linux on x86_64 is required; this is {host.system} on {host.machine}.")
    low, high = SUPPORTED_PYTHON
    if not low <= host.python < high:
        raise _unsupported(
            f"Python {_dotted(low)} up to, not including, {_dotted(high)} is required; this is "
            f"Python {_dotted(host.python)}. Install one and run `make setup PYTHON=python3.11`."
        )
    if host.glibc is None:
        raise _unsupported("The GNU C library is required; this Python uses another one.")
    if host.glibc >= REQUIRED_GLIBC:
        return Strategy.PLAIN
    place = " ".join(filter(None, (host.distribution or "an unknown distribution", host.codename)))
    found = f"glibc {_dotted(host.glibc)} on {place}"
    if host.codename not in DONOR_SUITES.get(host.distribution, {}):
        raise _unsupported(
            f"TFDV and ml-metadata need glibc {_dotted(REQUIRED_GLIBC)} or newer; this is {found}, "
            "for which no newer release to borrow it from is known."
        )
    missing = sorted({"apt-get", "dpkg-deb"} - host.tools)
    if missing or not host.keyring:
        lack = ", ".join(missing) or str(KEYRINGS[host.distribution])
        raise _unsupported(
            f"TFDV and ml-metadata need glibc {_dotted(REQUIRED_GLIBC)} or newer; this is {found}, "
            f"and a local copy cannot be fetched because {lack} is missing."
        )
    return Strategy.RUNTIME


def _unsupported(reason: str) -> UnsupportedHostError:
    low, high = SUPPORTED_PYTHON
    return UnsupportedHostError(
        f"{reason}\nWhat works: Debian 13, Ubuntu 24.04 or newer; Debian 12 and Ubuntu 22.04 with "
        "apt; or, anywhere with a container engine, any x86_64 image with glibc "
        f"{_dotted(REQUIRED_GLIBC)} or newer and Python {_dotted(low)} to "
        f"{high[0]}.{high[1] - 1}, such as {IMAGES}."
    )


def _dotted(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"


def _os_release() -> dict[str, str]:
    try:
        return platform.freedesktop_os_release()
    except OSError:
        return {}


def _glibc_version() -> tuple[int, int] | None:
    try:
        text = os.confstr("CS_GNU_LIBC_VERSION") or ""
    except (ValueError, OSError):
        return None
    name, _, version = text.partition(" ")
    major, _, minor = version.partition(".")
    return (int(major), int(minor)) if name == "glibc" and major and minor else None
