"""The measurements by name, in the order in which they are made."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.accuracy import accuracy
from benchmarks.edge.measurements import edge, edge_eager, edge_memory, edge_size, edge_start
from benchmarks.feature_materialization import materialize
from benchmarks.feature_server import feature_server
from benchmarks.feature_services import features
from benchmarks.flagship import Bench
from benchmarks.gateway import gateway
from benchmarks.measurement import Measurement, Target
from benchmarks.online_features import online, online_raw
from benchmarks.point_in_time import (
    point_in_time,
    point_in_time_memory,
    point_in_time_values,
)
from benchmarks.serving.measurements import (
    serving_batching,
    serving_grpc,
    serving_grpc_small,
    serving_memory,
    serving_rest,
)
from benchmarks.stock_kfp import stock_kfp
from benchmarks.stream import freshness, stream
from benchmarks.tfx_runner import tfx_runner

CACHED_REPEATS = 3


def cached(bench: Bench) -> Measurement:
    """The same run again: every step that may be cached is."""
    home = bench.work / "home-0"
    bench.cold  # noqa: B018  the first run fills the cache
    again = [bench.run(home) for _ in range(CACHED_REPEATS)]
    return Measurement(
        name="the same run again, all cached",
        unit="s",
        target=Target(5, of="value"),
        ours=[run.seconds for run in again],
    )


def memory(bench: Bench) -> Measurement:
    """The highest memory of all processes of a cold run together."""
    return Measurement(
        name="peak memory of the training run",
        unit="GB",
        target=Target(6, of="value"),
        ours=[run.record.peak_memory_mb / 1000 for run in bench.cold],
    )


BENCHMARKS: dict[str, Callable[[Bench], Measurement]] = {
    "tfx": tfx_runner,
    "kfp": stock_kfp,
    "cached": cached,
    "accuracy": accuracy,
    "memory": memory,
    "features": features,
    "point_in_time": point_in_time,
    "point_in_time_memory": point_in_time_memory,
    "point_in_time_values": point_in_time_values,
    "online": online,
    "online_raw": online_raw,
    "feature_server": feature_server,
    "gateway": gateway,
    "materialize": materialize,
    "stream": stream,
    "freshness": freshness,
    "serving_grpc": serving_grpc,
    "serving_grpc_small": serving_grpc_small,
    "serving_rest": serving_rest,
    "serving_batching": serving_batching,
    "serving_memory": serving_memory,
    "edge": edge,
    "edge_eager": edge_eager,
    "edge_start": edge_start,
    "edge_memory": edge_memory,
    "edge_size": edge_size,
}
