"""What the numbers were measured on."""

from __future__ import annotations

import datetime as dt
import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

import psutil

PACKAGES = ("headrace", "kfp", "tfx", "tensorflow", "keras", "apache-beam", "lightgbm", "polars")


def describe() -> dict[str, Any]:
    """Processor, memory, load, system and package versions."""
    return {
        "measured_at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "processor": _processor(),
        "cores_used": len(os.sched_getaffinity(0)),
        "cores": os.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 1e9, 1),
        "load_before": round(os.getloadavg()[0], 2),
        "system": platform.platform(),
        "python": platform.python_version(),
        "packages": {name: metadata.version(name) for name in PACKAGES},
    }


def summary(machine: dict[str, Any]) -> str:
    """One line for people."""
    return (
        f"{machine['processor']}, {machine['cores_used']} of {machine['cores']} cores, "
        f"{machine['memory_gb']} GB, load {machine['load_before']} before the start"
    )


def is_busy(machine: dict[str, Any]) -> bool:
    """Whether something else was using the machine, so that seconds mean little."""
    return bool(machine["load_before"] > 0.3 * machine["cores_used"])


def use_cores(count: int) -> None:
    """Confines this process, and what it starts, to ``count`` cores."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:count])


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
