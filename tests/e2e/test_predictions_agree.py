"""Online, batch and in-process predictions of the flagship are the same numbers.

The 10,000 flights are compared on the features that each had at its own prediction time. The
gateway reads features as of now, so it is asked for flights of one moment, up to which the tables
and the online store are filled.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from headrace.components.deployment.batch_inference import batch_inference
from headrace.components.features.materialize import materialization
from headrace.components.shared import examples
from headrace.components.shared.predict import predict
from headrace.feature_store import repo as repository
from headrace.feature_store.local_redis import LocalRedis
from headrace.serving.client import GatewayClient, GrpcClient, RestClient, columns_of
from tests.e2e.conftest import HEADRACE, ROOT, Outcome
from tests.support.stack import Stack, stack

pytestmark = pytest.mark.e2e
ROWS, GATEWAY_ROWS, REST_ROWS = 10_000, 300, 500
NOW = datetime(2013, 12, 23, 22, tzinfo=UTC)
CONFIG = "feature_store.redis.yaml"
KEYS = ["carrier", "flight", "origin", "dest", "tailnum"]
REQUEST = ["departs_at", "arrives_at", "distance"]


@pytest.fixture(scope="module")
def built(flights_run: Outcome) -> Path:
    return Path(flights_run.record.tasks["feature-builder"].outputs.artifacts["built"].uri)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("agree")
    without = shutil.ignore_patterns(".*", "data", "__pycache__")
    for name in ("feature_repo", "examples/flights"):
        shutil.copytree(ROOT / name, folder / name, ignore=without)
    return folder / "examples" / "flights"


@pytest.fixture(scope="module")
def online(flights_run: Outcome, built: Path, project: Path) -> Iterator[Stack]:
    """The whole stack over a Redis that holds what was known at NOW."""
    root = project.parents[1]
    home = root / "home"
    home.mkdir()
    (home / "models").symlink_to(flights_run.home / "models")
    with LocalRedis(home / "serving" / "redis", persistent=True) as redis:
        variables = {
            "FEAST_REGISTRY_URL": f"sqlite:///{root}/registry.sqlite",
            "FEAST_REDIS": redis.connection_string,
            "FEAST_REDIS_TYPE": "redis",
        }
        words = [project, "--home", home, "--config", CONFIG, "--as-of", NOW.isoformat()]
        with pytest.MonkeyPatch.context() as patch:
            for name, value in variables.items():
                patch.setenv(name, value)
            assert "headrace features materialize" in refusal(*words)
            repo_code = repository.read_repo(root / "feature_repo", CONFIG)
            materialization.run(
                built=known(built, root / "known"),
                repo_code=repo_code,
                root=str(root / "feature_repo"),
                until=NOW.isoformat(),
            )
    with stack(root / "out", *words, **variables) as running:
        running.wait_until_ready()
        yield running


def refusal(*words: str | Path) -> str:
    done = subprocess.run(
        [HEADRACE, "serve", "--all", *words], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1, done.stdout
    return done.stderr


def known(built: Path, target: Path) -> Path:
    """The feature tables as they were at NOW."""
    for path in built.glob("*/*.parquet"):
        table = pl.scan_parquet(path)
        moment = "known_at" if path.parent.name == "events" else "event_timestamp"
        place = target / path.parent.name / path.name
        place.parent.mkdir(parents=True, exist_ok=True)
        table.filter(pl.col(moment) <= NOW).collect().write_parquet(place)
    return target


def batch(rows: pl.DataFrame, home: Path, root: Path, work: Path, as_of: str = "") -> pl.DataFrame:
    """Predicted with features that batch inference joins itself."""
    work.mkdir()
    rows.write_parquet(work / "rows.parquet")
    result = batch_inference.run(
        rows=str(work / "rows.parquet"),
        destination=str(work / "out"),
        models=str(home / "models"),
        model="flights",
        version=1,
        keys=["flight_id"],
        as_of=as_of,
        repo_code=repository.read_repo(ROOT / "feature_repo", "feature_store.yaml"),
        root=str(root),
        shard_rows=ROWS,
    )
    return pl.read_parquet(result.folder)


def test_10_000_flights_get_the_same_numbers_everywhere(
    flights_run: Outcome, built: Path, online: Stack, tmp_path: Path
) -> None:
    artifacts = flights_run.record.tasks["example-gen"].outputs.artifacts
    shards = examples.shards(Path(artifacts["examples"].uri), "test")
    in_process = predict(flights_run.home / "models" / "flights" / "1", shards)[:ROWS]
    rows = pl.from_arrow(examples.read(shards))
    assert isinstance(rows, pl.DataFrame)
    rows = rows.head(ROWS)
    assert rows.height == ROWS

    with GrpcClient(f"127.0.0.1:{online.ports['grpc']}", deadline=60) as client:
        signature = client.signatures("flights")["raw_tensors"]
        inputs = columns_of(rows.select(list(signature.inputs)).to_dicts(), signature)
        grpc = client.predict("flights", inputs).outputs["probability"].reshape(-1)
    with RestClient(f"http://127.0.0.1:{online.ports['rest']}", deadline=60) as client:
        parts = [
            client.predict("flights", {n: a[start : start + REST_ROWS] for n, a in inputs.items()})
            for start in range(0, ROWS, REST_ROWS)
        ]
        rest = np.concatenate([part.outputs["probability"].reshape(-1) for part in parts])

    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "data").symlink_to(built)
    asked = rows.select(
        "flight_id",
        *KEYS,
        *REQUEST,
        pl.from_epoch("event_timestamp", "us").dt.replace_time_zone("UTC"),
    )
    joined = batch(asked, flights_run.home, tmp_path / "root", tmp_path / "batch")
    assert joined["flight_id"].to_list() == rows["flight_id"].to_list()

    assert in_process.std() > 0.05, "numbers that say something"
    for found in (grpc, rest, joined["probability"].to_numpy()):
        np.testing.assert_allclose(found, in_process, rtol=0, atol=1e-6)


def test_the_gateway_reads_what_batch_inference_joins(
    flights_run: Outcome, built: Path, project: Path, online: Stack, tmp_path: Path
) -> None:
    labels = pl.read_parquet(built / "labels.parquet").drop_nulls(KEYS)
    soon = pl.col("event_timestamp").is_between(NOW, NOW + timedelta(days=2))
    rows = labels.filter(soon).sample(GATEWAY_ROWS, seed=1).select("flight_id", *KEYS, *REQUEST)
    with GatewayClient(f"http://127.0.0.1:{online.ports['gateway']}", deadline=60) as client:
        answer = client.predict("flights", rows.drop("flight_id").to_dicts())
    online_numbers = [row.outputs["probability"] for row in answer.rows if row.outputs]
    root = project.parents[1] / "feature_repo"
    offline = batch(rows, flights_run.home, root, tmp_path / "batch", answer.features_as_of)
    assert len(online_numbers) == GATEWAY_ROWS
    np.testing.assert_allclose(online_numbers, offline["probability"], rtol=0, atol=1e-6)


def test_the_printed_request_is_answered(online: Stack) -> None:
    assert len(online.descendants()) == 5, "Redis and what started it, and three servers"
    done = subprocess.run(["bash", "-c", online.curl()], capture_output=True, text=True, check=True)
    answer = json.loads(done.stdout)
    assert 0 < answer["predictions"][0]["outputs"]["probability"] < 1
