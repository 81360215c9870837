"""Reading online features in this process: our reader, Feast, and a bare pipeline of HMGET."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks.feature_store_setup import NOW, SERVICE, Repository, entity_rows, repository
from benchmarks.flagship import Bench, BenchmarkError
from benchmarks.measurement import Measurement, Target

#: Rows of a request, and how many such requests each side answers in one round.
REQUESTS = {1: 400, 10: 200, 100: 40}
#: Rounds in which the sides take turns, so that none is alone with a busy moment of the machine.
ROUNDS = 8


@dataclass(frozen=True)
class Times:
    """Median milliseconds of one request."""

    rows: int
    ours: float
    feast: float
    raw: float


def online(bench: Bench) -> Measurement:
    """Our reader against Feast's ``get_online_features``, at the number of rows that is worst."""
    return _measurement(bench, lambda times: times.feast, 0.2, "get_online_features(...).to_dict()")


def online_raw(bench: Bench) -> Measurement:
    """Our reader against reading the same fields and doing nothing with them."""
    return _measurement(bench, lambda times: times.raw, 1.4, "redis-py pipeline of HMGET")


def _measurement(
    bench: Bench, of: Callable[[Times], float], limit: float, reference: str
) -> Measurement:
    results = compare(bench.work)
    worst = max(results, key=lambda times: times.ours / of(times))
    listed = ", ".join(f"{times.rows}: {times.ours / of(times):.2f} x" for times in results)
    return Measurement(
        name=f"online features, 20 of 4 views, {worst.rows} row{'s' * (worst.rows > 1)}, p50",
        unit="ms",
        target=Target(limit),
        ours=[worst.ours],
        reference=[of(worst)],
        reference_name=reference,
        note=f"the worst of the numbers of rows ({listed})",
        details={"all": [asdict(times) for times in results]},
    )


@cache
def compare(work: Path) -> list[Times]:
    """All sides on the same data, which Feast has not written nor we will change; made once."""
    from headrace.feature_store.online import materialize

    with repository(work / "online") as made:
        materialize(made.store, None, NOW.replace(year=2012), NOW)
        return [_times(made, rows, repeat) for rows, repeat in REQUESTS.items()]


def _times(made: Repository, count: int, repeat: int) -> Times:
    import redis

    from headrace.feature_store.online import OnlineReader

    rows, store = entity_rows(count), made.store
    reader = OnlineReader(store, SERVICE, now=NOW.timestamp)
    service = store.get_feature_service(SERVICE)
    client = redis.Redis(port=made.redis.port)
    commands = _commands(made, rows)

    def raw() -> list[Any]:
        pipeline = client.pipeline(transaction=False)
        for key, fields in commands:
            pipeline.hmget(key, fields)
        return list(pipeline.execute())

    sides: list[Callable[[], Any]] = [
        lambda: reader.read(rows).to_dict(),
        lambda: store.get_online_features(service, rows).to_dict(),
        raw,
    ]
    ours, feast, _ = (side() for side in sides)
    if ours != feast or any(None in values for values in ours.values()):
        raise BenchmarkError("The reader and Feast do not answer the same.")
    spent: list[list[float]] = [[] for _ in sides]
    for _ in range(ROUNDS):
        for side, times in zip(sides, spent, strict=True):
            for _ in range(repeat):
                start = time.perf_counter()
                side()
                times.append(1000 * (time.perf_counter() - start))
    medians = map(statistics.median, spent)
    return Times(count, *medians)


def _commands(made: Repository, rows: list[dict[str, Any]]) -> list[tuple[bytes, list[bytes]]]:
    """What has to be read at the least: each key once, and the features of its view."""
    from feast.infra.online_stores.helpers import _mmh3, _redis_key
    from feast.protos.feast.types.EntityKey_pb2 import EntityKey
    from feast.protos.feast.types.Value_pb2 import Value

    commands = []
    for view in made.store.list_feature_views():
        fields = [_mmh3(f"{view.name}:{feature.name}") for feature in view.features]
        name = view.entity_columns[0].name
        for value in dict.fromkeys(row[name] for row in rows):
            proto = Value(int64_val=value) if isinstance(value, int) else Value(string_val=value)
            key = EntityKey(join_keys=[name], entity_values=[proto])
            commands.append((_redis_key("bench", key), [*fields, f"_ts:{view.name}".encode()]))
    return commands
