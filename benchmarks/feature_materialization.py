"""Materialising into Redis, ours and Feast's: the same offline store, the same bytes."""

from __future__ import annotations

import contextlib
import io
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from benchmarks.feature_store_setup import ENTITIES, NOW, repository
from benchmarks.flagship import Bench, BenchmarkError
from benchmarks.measurement import Measurement, Target

#: How often ours is measured.
OURS = 3


def materialize(bench: Bench) -> Measurement:
    """Keys written per second, reading the offline store included."""
    from headrace.feature_store.online import materialize as fast

    start, total = NOW.replace(year=2012), sum(ENTITIES.values())
    with repository(bench.work / "materialize") as made:
        theirs = made.on(0)
        # Into a database of its own each time; ours takes too short for one to tell.
        ours: list[float] = []
        reference: list[float] = []
        for database in range(1, 1 + OURS):
            ours.append(_seconds(partial(fast, made.on(database), None, start, NOW)))
            if not reference:
                reference.append(_seconds(partial(theirs.materialize, start, NOW)))
        compared = _compare(made.redis.port)
    return Measurement(
        name=f"materialising {total:,} keys x 5 features into Redis",
        unit="keys/s",
        target=Target(4, better="higher"),
        ours=[total / seconds for seconds in ours],
        reference=[total / seconds for seconds in reference],
        reference_name="feast materialize, batches of 10,000",
        note=f"all {compared:,} hashes have the same bytes",
    )


def _seconds(do: Callable[[], Any]) -> float:
    start = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        do()  # Feast shows its progress
    return time.perf_counter() - start


def _compare(port: int) -> int:
    """How many hashes there are; all must be the same in every database."""
    import redis

    contents = []
    for database in range(1 + OURS):
        client = redis.Redis(port=port, db=database)
        keys = sorted(client.scan_iter(count=10_000))
        pipeline = client.pipeline(transaction=False)
        for key in keys:
            pipeline.hgetall(key)
        contents.append(dict(zip(keys, pipeline.execute(), strict=True)))
    same = all(content == contents[0] for content in contents)
    if not same or len(contents[0]) != sum(ENTITIES.values()):
        raise BenchmarkError("Feast and Headrace did not write the same.")
    return len(contents[0])
