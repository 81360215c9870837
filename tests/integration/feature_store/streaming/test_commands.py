"""The commands that publish events and that run a server for them."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import redis

from headrace.feature_store.local_redis import free_port

HEADRACE = Path(sys.executable).with_name("headrace")
START = datetime(2020, 1, 1, tzinfo=UTC)


def replay(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [HEADRACE, "features", "replay", *map(str, arguments)]
    # Wide enough for any path, which would be broken over lines else.
    environment = {**os.environ, "COLUMNS": "500"}
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)


def test_a_part_of_recorded_events_is_published_to_the_local_server(tmp_path: Path) -> None:
    pl.DataFrame(
        {
            "event_id": ["a", "b", "c", "d"],
            "kind": ["sale"] * 4,
            "known_at": [START + timedelta(days=day) for day in (0, 1, 2, 3)],
            "price": [1, 2, 3, 4],
        }
    ).write_parquet(tmp_path / "events.parquet")
    port = free_port()
    server = subprocess.Popen(
        [HEADRACE, "features", "redis", "--port", str(port)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert server.stdout is not None
        assert f"FEAST_REDIS=127.0.0.1:{port} " in server.stdout.readline()
        url = f"redis://127.0.0.1:{port}/0"
        part = ("--since", "2020-01-01", "--until", "2020-01-03")
        done = replay(tmp_path / "events.parquet", "--url", url, "--stream", "sales", *part)
        assert done.returncode == 0, done.stderr
        assert done.stdout.startswith("2 events in ")
        assert redis.Redis(port=port).xlen("sales") == 2
    finally:
        server.terminate()
        server.wait(timeout=20)


def test_events_that_are_not_there_are_named(tmp_path: Path) -> None:
    done = replay(tmp_path / "none.parquet")
    assert done.returncode == 2
    assert "none.parquet" in done.stderr
    assert "Traceback" not in done.stderr
