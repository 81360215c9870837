"""A file system as a step's container has it, without Docker and without rights over the host.

KFP's SDK turns ``minio://`` into ``/minio/``, and so on, at the root of the file system. A test
must not write there, and a changed prefix would not be what a cluster runs. So a step gets a user
and a mount namespace of its own (``unshare``), and in it a root made of

- what an image holds: the system, Python, and this installation of Headrace;
- fresh folders: ``/tmp``, ``/root``, ``/minio``, ``/s3``, ``/gcs``;
- volumes that the pipeline's user would mount.

Nothing else of the host is there: not the test's folders, no home, no other step's leftovers.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.e2e.launcher.object_store import MOUNTS

REPOSITORY = Path(__file__).resolve().parents[3]
_IMAGE = ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/etc", "/dev", "/proc", "/sys")
_FRESH = ("/tmp", "/root", *MOUNTS.values())
_NAMESPACES = ("unshare", "--user", "--map-root-user", "--mount")
#: Arguments: the new root, pairs of a folder and its place in the root, `--`, the command.
_ENTER = """
root=$1; shift
mount -t tmpfs none "$root"
while [ "$1" != "--" ]; do
  mkdir -p "$root$2"; mount --rbind "$1" "$root$2"; shift 2
done
shift
exec chroot "$root" "$@"
"""


def refusal() -> str | None:
    """Why this machine cannot give a step a file system of its own; None when it can."""
    done = subprocess.run(
        [*_NAMESPACES, "mount", "-t", "tmpfs", "none", "/mnt"], capture_output=True, text=True
    )
    return None if done.returncode == 0 else f"no mount namespaces for users: {done.stderr.strip()}"


@dataclass(frozen=True)
class Container:
    """One step's container.

    Attributes:
        root: A folder for the container's own files.
        volumes: Folder of the host to its place in the container.
    """

    root: Path
    volumes: Mapping[Path, str] = field(default_factory=dict)

    def path(self, inside: str) -> Path:
        """The place on the host of a path in one of the container's fresh folders."""
        return self.root / inside.lstrip("/")

    def run(self, command: Sequence[str], env: Mapping[str, str], log: Path) -> int:
        """Runs a command to its end, with no variables but ``env`` and those of any image."""
        for folder in ("view", *(place.lstrip("/") for place in _FRESH)):
            (self.root / folder).mkdir(parents=True, exist_ok=True)
        script = ["sh", "-ec", _ENTER, "enter", str(self.root / "view"), *self._mounts(), "--"]
        with log.open("wb") as stream:
            done = subprocess.run(
                [*_NAMESPACES, *script, *command],
                env={**_image_env(), **env},
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=subprocess.STDOUT,
                check=False,
            )
        return done.returncode

    def _mounts(self) -> list[str]:
        installation = (sys.base_prefix, sys.prefix, str(REPOSITORY))
        pairs = [(place, place) for place in _IMAGE if Path(place).exists()]
        pairs += [(str(self.path(place)), place) for place in _FRESH]
        pairs += [(place, place) for place in installation]
        pairs += [(str(folder), place) for folder, place in self.volumes.items()]
        return [part for pair in pairs for part in pair]


def _image_env() -> dict[str, str]:
    # `python3` in a step's command is the interpreter of its image.
    python = str(Path(sys.executable).parent)
    return {
        "PATH": os.pathsep.join([python, "/usr/sbin", "/usr/bin", "/bin"]),
        "HOME": "/root",
        "LANG": "C.UTF-8",
    }
