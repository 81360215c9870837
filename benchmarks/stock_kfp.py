"""The same compiled YAML under KFP's own local runner.

As a program, ``python -m benchmarks.stock_kfp PROJECT HOME`` is the run that is timed.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from benchmarks.flagship import Bench, BenchmarkError, timed
from benchmarks.measurement import Measurement, Target
from headrace.components.shared.model_store import ModelStore


def stock_kfp(bench: Bench) -> Measurement:
    """Wall time of the cold run against ``kfp.local``'s SubprocessRunner."""
    ours = [run.seconds for run in bench.cold]
    reference = []
    for number in range(bench.repeat):
        home = bench.work / f"kfp-{number}"
        command = [sys.executable, "-m", "benchmarks.stock_kfp", str(bench.folder), str(home)]
        reference.append(timed(command, bench.work / "kfp.log"))
        _require_pushed(bench, home)
    return Measurement(
        name="training run, cold cache",
        unit="s",
        target=Target(0.25),
        ours=ours,
        reference=reference,
        reference_name="the same YAML under kfp.local, SubprocessRunner",
    )


def _require_pushed(bench: Bench, home: Path) -> None:
    # kfp.local counts a condition that it cannot read as false, and the run as succeeded.
    store = ModelStore(str(home / bench.project.serving.destination), bench.project.name)
    if not store.versions():
        raise BenchmarkError(
            "kfp.local ended without pushing the model, so its time does not count; the log is "
            f"{bench.work / 'kfp.log'}."
        )


def main(folder: Path, home: Path) -> None:
    """Runs the training pipeline of a project under ``kfp.local``."""
    from kfp import components, local

    from headrace.pipelines.compile import COMPILED
    from headrace.pipelines.training.arguments import arguments
    from headrace.serving.edge.bundle.keys import VARIABLE, generate_keys

    home.mkdir(parents=True)
    # Headrace's runner makes a key in its home; elsewhere the environment names one.
    private, _ = generate_keys(home / "keys")
    os.environ[VARIABLE] = str(private)
    local.init(
        runner=local.SubprocessRunner(use_venv=False),
        pipeline_root=str(home / "outputs"),
        workspace_root=str(home / "workspace"),
        raise_on_error=True,
    )
    pipeline = components.load_component_from_file(str(COMPILED / "training.yaml"))
    pipeline(**arguments(folder, home=home))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
