"""A version is tried in a process of its own, which may hang or crash without harm."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from headrace.serving.edge.bundle import Manifest
from headrace.serving.edge.device.errors import KEEPS, SelfTestError

#: Seconds; a small model on a slow device starts in a few.
_TIMEOUT = 120.0


def try_bundle(bundle: Path, manifest: Manifest, variant: str) -> None:
    """Runs the self-test of a checked bundle on this device.

    Args:
        bundle: Its folder.
        manifest: Its manifest.
        variant: Name of the variant that is going to answer.

    Raises:
        SelfTestError: it crashes, hangs, or predicts something else than where it was made.
    """
    module = "headrace.serving.edge.device.self_test"
    command = [sys.executable, "-P", "-m", module, str(bundle), variant]
    try:
        done = subprocess.run(command, capture_output=True, timeout=_TIMEOUT, check=False)
    except subprocess.TimeoutExpired:
        raise _failed(manifest, variant, f"no result in {_TIMEOUT:g} seconds") from None
    if done.returncode < 0:
        raise _failed(manifest, variant, f"ended by {signal.Signals(-done.returncode).name}")
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise _failed(manifest, variant, said[-1] if said else f"exit code {done.returncode}")


def _failed(manifest: Manifest, variant: str, reason: str) -> SelfTestError:
    return SelfTestError(
        f"{manifest.model} version {manifest.version} ({variant}) fails its self-test: {reason}",
        fix=KEEPS,
    )
