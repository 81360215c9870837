"""Builds the container images of a commit, with SBOMs, and says how they are called.

``make images`` is ``images.py build``. docs/how-to/images.md explains the rest.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from headrace import __version__

ROOT = Path(__file__).resolve().parents[1]
DOCKERFILE = "pipelines/images/Dockerfile"
SBOM = "/opt/headrace/share/headrace/sbom.cdx.json"
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
#: Names of the images that `images.py base` makes: with a C++ compiler, and without.
LOCAL_BASES = {"BUILDER_IMAGE": "headrace-builder:local", "BASE_IMAGE": "headrace-base:local"}


@dataclass(frozen=True)
class Role:
    """What an image is for."""

    title: str
    #: Extras in setup.py.
    extras: tuple[str, ...]
    #: Files of further packages, with hashes.
    packages: tuple[str, ...] = ()


_TENSORFLOW = ("data", "tfx", "serving", "edge", "edge-export")
ROLES = {
    "core": Role("pipeline steps without TensorFlow", ("data", "feast", "edge")),
    "tfx": Role("pipeline steps with TensorFlow", _TENSORFLOW),
    "tfx-gpu": Role("pipeline steps on GPUs", _TENSORFLOW, ("requirements/gpu.txt",)),
    "serving": Role("feature server and gateway", ("serving", "feast")),
}
USUAL = ("core", "tfx", "serving")


class ImageError(Exception):
    """An image cannot be built; the message says why, and what to do."""


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, help=__doc__)


@app.command()
def build(
    roles: Annotated[
        list[str] | None, typer.Argument(help=f"Of {', '.join(ROLES)}.", show_default="all but gpu")
    ] = None,
    repository: Annotated[
        str, typer.Option(help="Where the images belong, such as registry.example/headrace.")
    ] = "headrace",
    push: Annotated[
        bool, typer.Option("--push", help="Push them, and name them by digest.")
    ] = False,
    extras: Annotated[
        list[str] | None, typer.Option("--extra", help="A further extra of setup.py.")
    ] = None,
    packages: Annotated[
        list[str] | None,
        typer.Option(help="A committed file of further packages, with hashes."),
    ] = None,
    local_base: Annotated[
        bool, typer.Option("--local-base", help="Build on what `images.py base` made.")
    ] = False,
    cache: Annotated[bool, typer.Option(help="Take over layers of earlier builds.")] = True,
    target: Annotated[
        Path,
        typer.Option(help="Folder for images.json and the SBOMs.", show_default="build/images"),
    ] = ROOT / "build/images",
) -> None:
    """Build the images of the last commit."""
    wanted = {name: _role(name) for name in roles or USUAL}
    if git("status", "--porcelain"):
        print("images: what is not committed is not in the images.", file=sys.stderr)
    target.mkdir(parents=True, exist_ok=True)
    options = [] if cache else ["--no-cache"]
    if local_base:
        options += [f"--build-arg={name}={image}" for name, image in LOCAL_BASES.items()]
    named = {}
    with checkout() as sources, secrets() as hidden:
        for name, role in wanted.items():
            image = f"{repository}/{name}:{__version__}"
            role = replace(
                role,
                extras=(*role.extras, *(extras or ())),
                packages=(*role.packages, *(packages or ())),
            )
            what = [f"--file={sources}/{DOCKERFILE}", f"--tag={image}", sources]
            docker("build", *options, *hidden, *arguments(name, role), *what)
            (target / f"{name}.cdx.json").write_text(
                docker("run", "--rm", "--network=none", image, "cat", SBOM, capture=True)
            )
            named[name] = _pushed(image) if push else image
    (target / "images.json").write_text(json.dumps(named, indent=2) + "\n")
    _show(named, target)


@app.command()
def base(
    suite: Annotated[str, typer.Argument(help="Release of Debian.")] = "trixie",
) -> None:
    """Make local base images from the Debian mirror, where no registry can be reached."""
    python = "python3,python3-venv,ca-certificates"
    for argument, image in LOCAL_BASES.items():
        wanted = python + (",python3-dev,g++" if argument == "BUILDER_IMAGE" else "")
        with tempfile.TemporaryDirectory() as folder:
            archive = f"{folder}/base.tar"
            excluded = [
                f"--dpkgopt=path-exclude=/usr/share/{n}/*" for n in ("doc", "man", "locale")
            ]
            run("mmdebstrap", "--variant=minbase", f"--include={wanted}", *excluded, suite, archive)
            docker("import", archive, image)


def arguments(name: str, role: Role) -> list[str]:
    """What the Dockerfile asks for."""
    created = datetime.fromtimestamp(int(git("log", "-1", "--format=%ct")), UTC)
    values = {
        "EXTRAS": ",".join(role.extras),
        "PACKAGES": " ".join(role.packages),
        "ROLE": name,
        "TITLE": role.title,
        "VERSION": __version__,
        "REVISION": git("rev-parse", "HEAD"),
        "CREATED": created.isoformat(),
    }
    return [f"--build-arg={name}={value}" for name, value in values.items()]


@contextmanager
def checkout() -> Iterator[str]:
    """The last commit's files in a folder of their own."""
    archive = subprocess.run(["git", "archive", "HEAD"], cwd=ROOT, capture_output=True, check=True)
    with tempfile.TemporaryDirectory(prefix="headrace-images-") as folder:
        with tarfile.open(fileobj=BytesIO(archive.stdout)) as tar:
            tar.extractall(folder, filter="data")
        yield folder


@contextmanager
def secrets() -> Iterator[list[str]]:
    """Options that show a build, and nobody after it, this machine's index and certificates."""
    names = ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL")
    index = next(filter(None, map(os.environ.get, names)), None)
    with tempfile.TemporaryDirectory() as folder:
        options = []
        if index:
            (Path(folder) / "index").write_text(index)
            options.append(f"--secret=id=index,src={folder}/index")
        if CERTIFICATES.is_file():
            options.append(f"--secret=id=certificates,src={CERTIFICATES}")
        yield options


def docker(*arguments: str, capture: bool = False) -> str:
    """Runs ``docker`` with BuildKit."""
    return run("docker", *arguments, capture=capture, DOCKER_BUILDKIT="1")


def git(*arguments: str) -> str:
    """What git says about this repository."""
    return run("git", "-C", str(ROOT), *arguments, capture=True).strip()


def run(*command: str, capture: bool = False, **environment: str) -> str:
    """Runs ``command``, its output shown or returned.

    Raises:
        ImageError: There is no such program, or it failed.
    """
    try:
        done = subprocess.run(
            command,
            env={**os.environ, **environment},
            stdout=subprocess.PIPE if capture else None,
            text=True,
            check=False,
        )
    except FileNotFoundError as error:
        raise ImageError(f"`{command[0]}` is not installed.") from error
    if done.returncode:
        raise ImageError(f"`{shlex.join(command[:2])}` failed; what it said is above.")
    return str(done.stdout or "")


def _role(name: str) -> Role:
    if name not in ROLES:
        raise ImageError(f"There is no role {name!r}; there are {', '.join(ROLES)}.")
    return ROLES[name]


def _pushed(image: str) -> str:
    docker("push", image)
    name = image.rpartition(":")[0]
    digests = docker("inspect", "--format={{json .RepoDigests}}", image, capture=True)
    return next(str(digest) for digest in json.loads(digests) if digest.startswith(f"{name}@"))


def _show(named: dict[str, str], target: Path) -> None:
    table = Table("role", "image", "size", title=str(target / "images.json"))
    for role, image in named.items():
        size = int(docker("inspect", "--format={{.Size}}", image, capture=True))
        table.add_row(role, image, f"{size / 1e9:.2f} GB")
    Console().print(table)
    # To a pipeline, an image for GPUs is one more of the role tfx.
    steps = {role.removesuffix("-gpu"): image for role, image in named.items() if role != "serving"}
    if steps:
        print("headrace compile compiled", *(f"--image {r}={image}" for r, image in steps.items()))


if __name__ == "__main__":
    try:
        app()
    except ImageError as error:
        sys.exit(f"images: {error}")
