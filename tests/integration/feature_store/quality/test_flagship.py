"""The flagship's features agree offline and online; one corrupted value is found, and only it."""

from __future__ import annotations

import datetime as dt
import shutil
import sqlite3
import struct
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from headrace.cli.features import main
from headrace.components.shared import files
from headrace.components.shared.model_store import MANIFEST
from headrace.feature_store.local_redis import LocalRedis
from headrace.feature_store.online import materialize
from headrace.feature_store.quality.sampling import sample
from headrace.feature_store.quality.skew import compare, compare_logs
from headrace.feature_store.repo import open_store, read_repo, registered, registry_hash

from .conftest import NOW

SERVICE = "flight_delay_v1"


def test_a_thousand_rows_agree_bit_for_bit(store):
    result = compare(store, SERVICE, 1000, NOW)
    assert result.agrees, result.markdown()
    assert result.rows == 1000
    assert len(result.features) > 50
    statuses = {feature.name: feature.statuses for feature in result.features}
    for name in ("line_delays__line_gain_28d", "aircraft_status__tail_late_28d"):
        assert set(statuses[name]) >= {"PRESENT", "OUTSIDE_MAX_AGE", "NOT_FOUND"}


def test_redis_agrees_with_the_same_tables(repo, tmp_path, monkeypatch):
    with LocalRedis(tmp_path / "redis") as server:
        monkeypatch.setenv("FEAST_REGISTRY_URL", f"sqlite:///{tmp_path}/registry.sqlite")
        monkeypatch.setenv("FEAST_REDIS", server.connection_string)
        monkeypatch.setenv("FEAST_REDIS_TYPE", "redis")
        code = read_repo(repo, "feature_store.redis.yaml")
        with registered(code, str(repo)) as mine:
            materialize(mine, None, NOW - dt.timedelta(days=500), NOW)
            result = compare(mine, SERVICE, 1000, NOW)
            assert result.agrees, result.markdown()
            assert result.rows == 1000


def test_real_requests_agree(store, built):
    labels = pl.read_parquet(built / "labels.parquet")
    soon = labels.filter(pl.col("event_timestamp").is_between(NOW, NOW + dt.timedelta(hours=6)))
    keys = ["carrier", "flight", "origin", "dest", "tailnum"]
    rows = soon.select(*keys, "departs_at", "arrives_at", "distance")
    result = compare(store, SERVICE, rows, NOW)
    assert result.agrees, result.markdown()
    assert result.rows > 200
    statuses = {feature.name: feature.statuses for feature in result.features}
    assert statuses["previous_leg__leg_gap"]["PRESENT"] > 100


@pytest.fixture
def corrupted(repo, tmp_path) -> Path:
    """A copy of the repository in which one stored value is another."""
    folder = tmp_path / "feature_repo"
    shutil.copytree(repo, folder)
    with sqlite3.connect(folder / "data/online.db") as connection:
        found = connection.execute(
            "SELECT entity_key, value FROM flights_weather WHERE feature_name = 'visib'"
        ).fetchall()
        (key, value) = next(row for row in found if b"JFK" in row[0])
        (miles,) = struct.unpack("<d", value[1:])
        wrong = value[:1] + struct.pack("<d", miles + 1e-12)
        connection.execute(
            "UPDATE flights_weather SET value = ? WHERE feature_name = 'visib' AND entity_key = ?",
            (wrong, key),
        )
    connection.close()
    return folder


def test_one_corrupted_value_is_reported_for_its_rows_alone(corrupted):
    mine = open_store(corrupted)
    rows = sample(mine, SERVICE, 300, NOW)
    result = compare(mine, SERVICE, rows, NOW)
    (feature,) = result.differing
    assert feature.name == "weather__visib"
    assert feature.differing == rows.filter(origin="JFK").height > 0
    assert {example.entity["origin"] for example in feature.examples} == {"JFK"}
    assert feature.examples[0].online == feature.examples[0].offline + 1e-12
    assert compare(mine, SERVICE, rows, NOW, tolerance=1e-9).agrees


def test_a_log_of_training_rows_agrees(store, built):
    labels = pl.read_parquet(built / "labels.parquet").sample(300, seed=1).to_pandas()
    job = store.get_historical_features(labels, store.get_feature_service(SERVICE))
    log = job.to_arrow()
    result = compare_logs(store, SERVICE, log)
    assert result.agrees, result.markdown()
    assert len(result.features) > 50
    # Some requests came without the flight's number, and were served nothing about the line.
    served = pl.DataFrame(pl.from_arrow(log))
    lost = [name for name in served.columns if name == "flight" or name.startswith("line_")]
    empty = [pl.when(pl.int_range(pl.len()) >= 5).then(name).alias(name) for name in lost]
    assert compare_logs(store, SERVICE, served.with_columns(empty).to_arrow()).agrees


def run(*arguments: str):
    return CliRunner().invoke(main.app, list(arguments), env={"COLUMNS": "200"})


def test_the_command_says_whether_they_agree(repo, corrupted, tmp_path):
    moment = ["--samples", "200", "--as-of", NOW.isoformat()]
    good = run("check", SERVICE, "--repo", str(repo), *moment)
    assert (good.exit_code, good.exception) == (0, None), good.output
    assert "offline and online agree in" in good.output
    page = tmp_path / "page.html"
    bad = run("check", SERVICE, "--repo", str(corrupted), *moment, "--report", str(page))
    assert bad.exit_code == 4, bad.output
    assert "weather__visib" in bad.output and "weather__temp" not in bad.output
    assert "weather__visib" in page.read_text()


def test_the_command_reads_rows_and_logs(store, repo, tmp_path):
    rows = sample(store, "flight_delay_weather_v1", 50, NOW)
    rows.write_parquet(tmp_path / "rows.parquet")
    service = ["check", "flight_delay_weather_v1", "--repo", str(repo)]
    asked = run(*service, "--rows", str(tmp_path / "rows.parquet"), "--as-of", NOW.isoformat())
    assert asked.exit_code == 0, asked.output
    log = rows.with_columns(event_timestamp=pl.lit(NOW), temp=pl.lit(-1.0))
    log.write_parquet(tmp_path / "log.parquet")
    logged = run(*service, "--log", str(tmp_path / "log.parquet"))
    assert logged.exit_code == 4, logged.output
    assert "50 of 50 values" in logged.output


def test_the_command_records_a_baseline_and_finds_the_winter(repo, tmp_path):
    folder = tmp_path / "feature_repo"
    shutil.copytree(repo, folder)
    place = ["quality", "--repo", str(folder)]
    before = run(*place, "--as-of", NOW.isoformat())
    assert before.exit_code == 0, before.output
    assert "No baseline for aircraft, aircraft_status" in before.output
    weeks = ["--until", "2013-01-22", "--baseline"]
    recorded = run(*place, *weeks)
    assert recorded.exit_code == 0, recorded.output
    assert len(list((folder / "data/baselines").glob("*.json"))) == 9
    names = ["--view", "weather", "--view", "aircraft"]
    # A week of frost and fog, and thaw on the 30th.
    checked = run(*place, *names, "--as-of", NOW.isoformat())
    assert checked.exit_code == 4, checked.output
    assert "weather.temp: Jensen-Shannon divergence from the baseline" in checked.output
    assert "not online," not in checked.output
    late = run(*place, *names, "--as-of", "2013-02-02")
    assert "weather: the newest row is" not in late.output
    assert "aircraft: " not in late.output


def test_the_impact_of_one_column_of_the_weather(store, repo, tmp_path):
    asked = {"feature_service": SERVICE, "registry_hash": registry_hash(store)}
    files.write_json(tmp_path / "flights/1" / MANIFEST, {"feature_store": asked})
    place = ["--repo", str(repo), "--models", str(tmp_path)]
    found = run("impact", "weather.visib", *place)
    assert found.exit_code == 0, found.output
    for line in (
        "feature view weather visib",
        "feature service flight_delay_weather_v1",
        "model flights version 1\n",
        "endpoint flights serves version 1",
        "Touched: 1 feature view, 2 feature services, 1 model, 1 endpoint",
    ):
        assert line in found.output
    assert "flight_delay_schedule_v1" not in found.output
    leg = run("impact", "aircraft_status.last_stage", *place)
    assert "on-demand view previous_leg all 5 features" in leg.output
