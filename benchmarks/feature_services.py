"""What each group of features is worth: LightGBM on the flagship's three feature services."""

from __future__ import annotations

import contextlib
import io
import itertools
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks.flagship import Bench
from benchmarks.lightgbm_reference import train_lightgbm
from benchmarks.measurement import Measurement, Target
from headrace.components.shared.config.project import Project, load, read_code

#: The project whose Feast repository defines the services; `--project` does not matter here.
PROJECT = Path(__file__).resolve().parents[1] / "examples" / "flights"
#: From the fewest features to the most.
SERVICES = ["flight_delay_schedule_v1", "flight_delay_weather_v1", "flight_delay_v1"]
#: The test AUC has a standard error of about 0.002.
LEAST_GAIN = 0.01


def features(bench: Bench) -> Measurement:
    """Test AUC by feature service, each joined by Feast through our offline store."""
    project = load(PROJECT)
    tables = joined(project, bench.work / "feature-services")
    return summary({name: _trained(project, table) for name, table in tables.items()})


def summary(results: Mapping[str, Mapping[str, Any]]) -> Measurement:
    """The smallest gain from one service to the next, in the order of ``results``."""
    aucs = [result["test_auc"] for result in results.values()]
    shown = (f"{name} {result['test_auc']:.4f}" for name, result in results.items())
    return Measurement(
        name="test AUC gained from one feature service to the next, the smallest gain",
        unit="",
        target=Target(LEAST_GAIN, of="value", better="higher"),
        ours=[min(after - before for before, after in itertools.pairwise(aucs))],
        note="LightGBM: " + ", ".join(shown),
        details=dict(results),
    )


def joined(project: Project, work: Path) -> dict[str, pl.DataFrame]:
    """The labelled table with the features of each service, made by the pipeline's own steps."""
    from headrace.components.data.ingest import ingest
    from headrace.components.features.feature_builder import builder
    from headrace.components.features.historical_features import history
    from headrace.feature_store.repo import read_repo

    settings = project.model_dump(mode="json")
    repo_code = read_repo(PROJECT / str(project.feature_store.repo))
    work.mkdir(parents=True, exist_ok=True)
    with contextlib.redirect_stdout(io.StringIO()):  # Ingest and Feast tell what they do
        ingest.run(
            sources=settings["sources"],
            data_version="bench",
            tables=work / "tables",
            provenance=work / "provenance.json",
        )
        builder.run(
            tables=work / "tables",
            code=read_code(PROJECT),
            repo_code=repo_code,
            built=work / "built",
        )
        return {
            name: history.run(
                built=work / "built",
                repo_code=repo_code,
                feature_store={**settings["feature_store"], "service": name},
                label=settings["label"],
                features=settings["features"],
                table=work / f"{name}.parquet",
            )[0]
            for name in SERVICES
        }


def _trained(project: Project, table: pl.DataFrame) -> dict[str, float]:
    from headrace.components.data.example_gen import splits

    label = project.label.column
    visible = [c for c in table.columns if c != label and c not in project.features.exclude]
    parts = splits.assign(table, project.split)
    result = train_lightgbm(parts["train"], parts["eval"], parts["test"], label, visible)
    return {"features": len(visible), **result}
