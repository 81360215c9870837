"""The same TFX components, on the same rows, under TFX's LocalDagRunner."""

from __future__ import annotations

import sys

from benchmarks.flagship import Bench, BenchmarkError, timed
from benchmarks.measurement import Measurement, Target


def tfx_runner(bench: Bench) -> Measurement:
    """Wall time of the cold run against a TFX pipeline.

    Ours counts whole: reading the sources, building the features, and the steps that TFX does not
    have. The baseline starts from the labelled table, written beforehand, outside its time.
    """
    if bench.project.tuning.trials:
        raise BenchmarkError(
            "The baseline has no Tuner: measure with `tuning.trials: 0` in project.yaml."
        )
    ours = [run.seconds for run in bench.cold]
    tables = bench.work / "tfx-tables"
    for split, table in bench.rows.items():
        (tables / split).mkdir(parents=True, exist_ok=True)
        table.write_csv(tables / split / "rows.csv")
    reference = []
    for number in range(bench.repeat):
        target = bench.work / f"tfx-{number}"
        command = [sys.executable, "-m", "benchmarks.tfx_baseline", str(bench.folder)]
        command += [str(tables), str(target)]
        reference.append(timed(command, bench.work / "tfx.log", TF_USE_LEGACY_KERAS="0"))
        if not list((target / "pushed").glob("*/saved_model.pb")):
            raise BenchmarkError(
                f"The TFX pipeline did not push its model; its log is {bench.work / 'tfx.log'}."
            )
    return Measurement(
        name="training run, cold cache",
        unit="s",
        target=Target(0.4),
        ours=ours,
        reference=reference,
        reference_name="the same TFX components under TFX's LocalDagRunner",
    )
