"""``python -m benchmarks.tfx_baseline PROJECT TABLES TARGET``: the run that is timed."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks.tfx_baseline.pipeline import run

if __name__ == "__main__":
    run(*map(Path, sys.argv[1:4]))
