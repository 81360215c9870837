"""The rows of ``make bench`` that are about devices."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.flagship import Bench, BenchmarkError
from benchmarks.measurement import Measurement, Target

ROUNDS = 3
FOLDER = Path(__file__).parent
TENSORFLOW = "TensorFlow"


@dataclass(frozen=True)
class Comparison:
    """What every side's processes measured, one per round.

    Attributes:
        manifest: Of the bundle.
        sides: Variant, or :data:`TENSORFLOW`, to its rounds.
    """

    manifest: Mapping[str, Any]
    sides: Mapping[str, Sequence[Mapping[str, Any]]]

    @property
    def default(self) -> str:
        """The variant that a device takes."""
        return str(self.manifest["default"])

    def of(self, side: str, what: str) -> list[float]:
        """One value per round; of latencies, the median."""
        values = [found[what] for found in self.sides[side]]
        return [value[0] if isinstance(value, list) else value for value in values]

    def size(self, variant: str) -> int:
        """Bytes of a variant's file."""
        file = self.manifest["variants"][variant]["file"]
        return int(self.manifest["files"][file]["bytes"])

    def line(self, side: str) -> str:
        """A side for people."""
        p50, p99 = (
            statistics.median(found["model"][place] for found in self.sides[side])
            for place in (0, 1)
        )
        start, memory = (statistics.median(self.of(side, what)) for what in ("start", "memory"))
        size = "" if side == TENSORFLOW else f"{self.size(side):,} bytes, "
        share = p50 / statistics.median(self.of(TENSORFLOW, "model"))
        beside = "" if side == TENSORFLOW else f" ({share:.2f} of TensorFlow's)"
        times = f"p50 {p50:.1f} us{beside}, p99 {p99:.1f} us"
        return f"{side}: {size}{times}, start {start:.2f} s, {memory:.0f} MB"

    def measurement(self, name: str, unit: str, target: Target, **values: Any) -> Measurement:
        """A row with the details of all sides."""
        metrics = {
            variant: {"bytes": self.size(variant), **described["metrics"]}
            for variant, described in self.manifest["variants"].items()
        }
        details = {"sides": self.sides, "variants": metrics}
        return Measurement(name, unit, target, details=details, **values)


def edge(bench: Bench) -> Measurement:
    """One row through the model part against TensorFlow's fastest call."""
    compared = compare(bench)
    return compared.measurement(
        f"edge model part, one row, p50, {compared.default}",
        "us",
        Target(0.5),
        ours=compared.of(compared.default, "model"),
        reference=compared.of(TENSORFLOW, "model"),
        reference_name="a TensorFlow callable, single-threaded executor",
        note="\n".join(map(compared.line, compared.sides)),
    )


def edge_eager(bench: Bench) -> Measurement:
    """The same against the signature as TensorFlow's guides call it."""
    compared = compare(bench)
    return compared.measurement(
        f"edge model part, one row, p50, {compared.default}",
        "us",
        Target(0.05),
        ours=compared.of(compared.default, "model"),
        reference=compared.of(TENSORFLOW, "eager"),
        reference_name="the signature of the loaded SavedModel",
    )


def edge_start(bench: Bench) -> Measurement:
    """From the start of the process to the first answer."""
    compared = compare(bench)
    return compared.measurement(
        f"edge, start to first answer, {compared.default}",
        "s",
        Target(0.5, of="value"),
        ours=compared.of(compared.default, "start"),
    )


def edge_memory(bench: Bench) -> Measurement:
    """Highest resident memory of the process."""
    compared = compare(bench)
    return compared.measurement(
        f"edge, peak memory, {compared.default}",
        "MB",
        Target(80, of="value"),
        ours=compared.of(compared.default, "memory"),
    )


def edge_size(bench: Bench) -> Measurement:
    """Bytes of the variant that a device takes."""
    compared = compare(bench)
    return compared.measurement(
        f"edge, size of {compared.default}",
        "KB",
        Target(0.45),
        ours=[compared.size(compared.default) / 1000],
        reference=[compared.size("float32") / 1000],
        reference_name="float32",
    )


def compare(bench: Bench) -> Comparison:
    """All variants and TensorFlow, each in processes of its own that take turns; made once.

    Raises:
        BenchmarkError: there is no bundle, or a side does not answer.
    """
    pushed = bench.cold[0].record.tasks["pusher"].outputs.artifacts["pushed_model"]
    return _compare(Path(str(pushed.metadata["external_path"])))


@cache
def _compare(model: Path) -> Comparison:
    bundle = model.parent / "edge" / model.name
    if not (bundle / "manifest.json").exists():
        raise BenchmarkError(f"{bundle} is not there: the project exports nothing to devices.")
    manifest = json.loads((bundle / "manifest.json").read_text(encoding="utf-8"))
    row = json.dumps(manifest["self_test"]["rows"][0])
    asked = [str(bundle), manifest["default"], row]
    commands = {
        variant: [str(FOLDER / "device.py"), str(bundle), variant, row]
        for variant in manifest["variants"]
    }
    commands[TENSORFLOW] = ["-m", "benchmarks.edge.in_process", str(model), *asked]
    rounds = [{side: _ask(words) for side, words in commands.items()} for _ in range(ROUNDS)]
    sides = {side: [found[side] for found in rounds] for side in commands}
    return Comparison(manifest, sides)


def _ask(words: Sequence[str]) -> dict[str, Any]:
    """Runs one side's process."""
    started = time.time()
    done = subprocess.run(
        [sys.executable, *words],
        env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise BenchmarkError(f"{words[0]} ended with {done.returncode}:\n{done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return {**found, "start": found["first"] - started}
