"""The whole year through the stream into Redis: what was served is what training would have got."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from headrace.components.features.materialize.materialization import publish
from headrace.feature_store import repo as repository
from headrace.feature_store.local_redis import LocalRedis
from headrace.feature_store.online import OnlineReader, Status, materialize
from headrace.feature_store.quality.skew import compare_logs
from headrace.feature_store.rolling.registry import rolling_views
from headrace.feature_store.streaming import RedisStreamSink, replay
from tests.e2e.conftest import HEADRACE, ROOT, Outcome

SERVICE = "flight_delay_v1"
STREAM = "flights"
#: The history of a day is brought online in bulk; the stream goes on from there.
START = datetime(2013, 1, 2, tzinfo=UTC)
CHECKPOINTS = 20
SAMPLES = 500
ALL_YEAR = pytest.mark.timeout(1500)


@pytest.fixture(scope="module")
def built(flights_run: Outcome) -> Path:
    return Path(flights_run.record.tasks["feature-builder"].outputs.artifacts["built"].uri)


def first_day(built: Path, target: Path) -> Path:
    """The tables as they were at the start; the stream makes the rest of the rolling rows."""
    for path in built.glob("*/*.parquet"):
        table = pl.read_parquet(path)
        (target / path.parent.name).mkdir(parents=True)
        moment = "known_at" if path.parent.name == "events" else "event_timestamp"
        if path.parent.name != "weather":
            table = table.filter(pl.col(moment) <= START)
        table.write_parquet(target / path.parent.name / path.name)
    return target


def sampled(labels: pl.DataFrame, moment: datetime) -> pl.DataFrame:
    """Requests at a moment: flights of these days, of the whole year, and unknown ones."""
    near = labels.filter((pl.col("event_timestamp") - moment).abs() < timedelta(days=2))
    rows = pl.concat(
        [
            near.sample(SAMPLES * 7 // 10, seed=1),
            labels.sample(SAMPLES * 2 // 10, seed=2),
            labels.sample(SAMPLES // 10, seed=3).with_columns(
                origin=pl.lit("XXX"), tailnum=pl.lit("N0"), flight=pl.lit(-1, pl.Int64)
            ),
        ]
    )
    return rows.with_columns(event_timestamp=pl.lit(moment).dt.cast_time_unit("us"))


def wait_until_consumed(sink: RedisStreamSink, consumer: subprocess.Popen[bytes]) -> None:
    while sink.backlog():
        assert consumer.poll() is None, "the consumer has ended"
        time.sleep(0.02)


@ALL_YEAR
def test_offline_and_online_agree_over_the_whole_year(
    built: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "feature_repo"
    shutil.copytree(ROOT / "feature_repo", folder, ignore=shutil.ignore_patterns("data"))
    publish(first_day(built, tmp_path / "first"), str(folder / "data"))
    events = pl.read_parquet(built / "events").filter(pl.col("known_at") > START)
    # Nothing else becomes known at a moment at which is asked.
    places = [(part + 1) * events.height // CHECKPOINTS - 1 for part in range(CHECKPOINTS)]
    moments = events.sort("known_at")["known_at"].gather(places).to_list()
    labels = pl.read_parquet(built / "labels.parquet").filter(
        # As training does: without an aircraft there is nothing to ask.
        pl.col("tailnum").is_not_null()
    )
    with LocalRedis() as server:
        monkeypatch.setenv("FEAST_REGISTRY_URL", f"sqlite:///{tmp_path}/registry.sqlite")
        monkeypatch.setenv("FEAST_REDIS", server.connection_string)
        monkeypatch.setenv("FEAST_REDIS_TYPE", "redis")
        monkeypatch.setenv("FEAST_FS_YAML_FILE_PATH", "feature_store.redis.yaml")
        with repository.registered(repository.read_repo(folder), str(folder)) as store:
            materialize(store, None, datetime(2012, 1, 1, tzinfo=UTC), START)
        store = repository.open_store(folder)
        clock = {"now": START.timestamp()}
        reader = OnlineReader(store, SERVICE, now=lambda: clock["now"])
        sink = RedisStreamSink(server.url, STREAM)
        command = [HEADRACE, "features", "stream", "--repo", ".", "--stream", STREAM]
        consumer = subprocess.Popen([*command, "--url", server.url], cwd=folder, env=os.environ)
        try:
            served, before = [], START
            for now in moments:
                happened = pl.col("known_at").is_between(before, now, closed="right")
                chunk = events.filter(happened)
                replay(chunk, sink, max_backlog=50_000)
                wait_until_consumed(sink, consumer)
                materialize(store, ["weather"], before, now)
                clock["now"], before = now.timestamp(), now
                served.append(answered(reader, sampled(labels, now)))
        finally:
            consumer.send_signal(signal.SIGTERM)
            assert consumer.wait(timeout=120) == 0
        reader.close()

    log = pl.concat(served)
    result = compare_logs(store, SERVICE, log.to_arrow())
    assert result.agrees, result.verdict() + str(result.differing[0].examples)
    assert result.rows == CHECKPOINTS * SAMPLES
    statuses = {name for feature in result.features for name in feature.statuses}
    assert {"PRESENT", "OUTSIDE_MAX_AGE", "NOT_FOUND"} <= statuses

    for view in rolling_views(store):
        assert_frame_equal(
            rows_of(folder / "data" / view.name, view.keys),
            rows_of(built / view.name, view.keys),
            check_exact=True,
        )


def answered(reader: OnlineReader, rows: pl.DataFrame) -> pl.DataFrame:
    """The requests with what was served for them, as a feature log."""
    keys = {name for group in reader.plan.groups for name in group.asked}
    keys |= set(reader.plan.request_data)
    answer = reader.read(rows.select(sorted(keys)).to_dict(as_series=False))
    columns = {}
    for column in answer.columns:
        if column.name in keys:
            continue
        columns[column.name] = pl.Series(column.values)
        columns[f"{column.name}__status"] = pl.Series([Status(s).name for s in column.statuses])
    return rows.select(*sorted(keys), "event_timestamp").with_columns(
        series.alias(name) for name, series in columns.items()
    )


def rows_of(folder: Path, keys: tuple[str, ...]) -> pl.DataFrame:
    """One row per entity and moment: the one created last."""
    rows = pl.read_parquet(folder).sort("event_timestamp", "created")
    rows = rows.unique([*keys, "event_timestamp"], keep="last").drop("created")
    return rows.select(sorted(rows.columns)).sort(*keys, "event_timestamp")
