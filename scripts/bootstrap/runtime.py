"""A newer C and C++ runtime inside the project, for hosts whose own glibc is too old.

The packages come from the host's own configured mirror, one release newer, with apt checking the
signatures against the host's own archive keyring. Nothing outside the target folder is written,
and no root is needed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sysconfig
from pathlib import Path

from bootstrap.host import DONOR_SUITES, KEYRINGS, Host, UnsupportedHostError

PACKAGES = ("libc6", "libstdc++6", "libgcc-s1")
LIBRARY_DIR = Path("usr/lib/x86_64-linux-gnu")
LOADER = "ld-linux-x86-64.so.2"


def build(target: Path, host: Host) -> Path:
    """Unpacks the runtime into ``target`` and returns its library folder.

    Raises:
        UnsupportedHostError: the mirror cannot be reached or refuses; the message says which.
    """
    libraries = target / LIBRARY_DIR
    if (libraries / LOADER).exists():
        return libraries
    work = target.with_name(target.name + ".new")
    shutil.rmtree(work, ignore_errors=True)
    apt = _apt_folders(work / "apt")
    suite = DONOR_SUITES[host.distribution][host.codename]
    mirror = _mirror(host)
    source = f"deb [signed-by={KEYRINGS[host.distribution]}] {mirror} {suite} main\n"
    (work / "apt" / "sources.list").write_text(source)
    _run([*apt, "update", "-q"], cwd=work, what=f"read the {suite} index of the mirror")
    _run([*apt, "download", "-q", *PACKAGES], cwd=work, what=f"download {', '.join(PACKAGES)}")
    for package in work.glob("*.deb"):
        _run(["dpkg-deb", "-x", package.name, "."], cwd=work, what=f"unpack {package.name}")
        package.unlink()
    _gather(work)
    shutil.rmtree(work / "apt")
    shutil.rmtree(target, ignore_errors=True)
    work.rename(target)
    return libraries


def attach(python: Path, libraries: Path, patchelf: Path) -> None:
    """Makes the interpreter at ``python`` run on ``libraries``."""
    search = [str(libraries)]
    host_python = sysconfig.get_config_var("LIBDIR")
    if host_python:
        search.append(host_python)
    patched = python.with_name(python.name + ".new")
    shutil.copy2(python, patched)
    command = [str(patchelf), "--set-interpreter", str(libraries / LOADER)]
    command += ["--force-rpath", "--set-rpath", os.pathsep.join(search)]
    for library in ("libstdc++.so.6", "libgcc_s.so.1"):
        command += ["--add-needed", library]
    _run([*command, str(patched)], cwd=python.parent, what="point Python at the local glibc")
    patched.rename(python)


def _mirror(host: Host) -> str:
    """The base URI from which this host gets its own release."""
    fields = "--format=$(RELEASE) $(REPO_URI)"
    listing = _run(
        ["apt-get", "indextargets", "--no-release-info", fields], what="list the mirrors"
    )
    for line in listing.splitlines():
        release, _, uri = line.partition(" ")
        if release == host.codename and uri:
            return uri
    raise UnsupportedHostError(
        f"apt has no source for {host.codename}: add your distribution's mirror to "
        "/etc/apt/sources.list.d and run `make setup` again."
    )


def _apt_folders(root: Path) -> list[str]:
    """An apt with lists, cache and status of its own, but the host's proxies and credentials."""
    for folder in ("lists/partial", "cache/archives/partial"):
        (root / folder).mkdir(parents=True)
    (root / "status").touch()
    options = {
        "Dir::Etc::SourceList": root / "sources.list",
        "Dir::Etc::SourceParts": "/dev/null",
        "Dir::Etc::Preferences": "/dev/null",
        "Dir::Etc::PreferencesParts": "/dev/null",
        "Dir::State": root,
        "Dir::State::Lists": root / "lists",
        "Dir::State::Status": root / "status",
        "Dir::Cache": root / "cache",
        "APT::Sandbox::User": "",
    }
    return ["apt-get", *(f"-o{key}={value}" for key, value in options.items())]


def _gather(root: Path) -> None:
    """Moves libraries that an older layout keeps in /lib into the one folder of the runtime."""
    libraries = root / LIBRARY_DIR
    libraries.mkdir(parents=True, exist_ok=True)
    for old in (root / "lib/x86_64-linux-gnu", root / "usr/lib64", root / "lib64"):
        for item in old.iterdir() if old.is_dir() else ():
            if not (libraries / item.name).exists():
                shutil.move(str(item), libraries / item.name)


def _run(command: list[str], *, what: str, cwd: Path | None = None) -> str:
    result = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if result.returncode:
        tail = "\n".join((result.stderr or result.stdout).strip().splitlines()[-5:])
        raise UnsupportedHostError(f"Could not {what}: `{command[0]}` said\n{tail}")
    return result.stdout
