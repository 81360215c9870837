"""``python scripts/bootstrap``: makes ``.venv`` what the lock file says; quick when it is."""

from __future__ import annotations

import hashlib
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bootstrap import environment
from bootstrap.host import Host, UnsupportedHostError, decide

ROOT = Path(__file__).resolve().parents[2]
STAMP = ROOT / ".venv" / "setup.stamp"
INPUTS = ("requirements/lock.txt", "requirements/bootstrap.txt", "setup.py")


def fingerprint(root: Path) -> str:
    """A hash of everything the environment is made from, the project's place included."""
    digest = hashlib.sha256(f"{root} {sys.version}".encode())
    files = [root / name for name in INPUTS]
    files += sorted((root / "scripts" / "bootstrap").glob("*.py"))
    for file in files:
        digest.update(file.read_bytes())
    return digest.hexdigest()


def main() -> int:
    """Sets up when something changed; returns the exit code."""
    wanted = fingerprint(ROOT)
    if STAMP.exists() and STAMP.read_text() == wanted:
        return 0
    started = time.monotonic()
    try:
        host = Host.detect()
        STAMP.unlink(missing_ok=True)
        environment.create(ROOT, host, decide(host))
    except (UnsupportedHostError, environment.InstallError) as error:
        print(f"setup: {error}", file=sys.stderr)
        return 1
    STAMP.write_text(wanted)
    print(f"setup: ready in {time.monotonic() - started:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
