"""``headrace features stream``: keep rolling features fresh from a stream of events."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from headrace.cli.features.options import (
    LOCAL_REDIS,
    REPO,
    STREAM,
    ConfigOption,
    KafkaOption,
    RepoOption,
    StreamOption,
    UrlOption,
)

if TYPE_CHECKING:
    from feast import FeatureStore


def stream(
    repo: RepoOption = REPO,
    config: ConfigOption = None,
    name: StreamOption = STREAM,
    url: UrlOption = LOCAL_REDIS,
    kafka: KafkaOption = None,
    log: Annotated[
        Path | None,
        typer.Option(help="Folder of the event log.", show_default="data/event_log"),
    ] = None,
    history: Annotated[
        Path | None,
        typer.Option(
            help="Parquet of the events that materialised rows were computed from; a new log "
            "begins with them, so that windows reach back.",
            show_default="data/events",
        ),
    ] = None,
    metrics_port: Annotated[
        int | None, typer.Option(help="Where Prometheus may ask.", show_default=False)
    ] = None,
    idle: Annotated[
        float | None,
        typer.Option(help="Stop after so many seconds without an event.", show_default=False),
    ] = None,
) -> None:
    """Turn events into rolling statistics, online at once and offline soon after.

    It runs until SIGTERM or Ctrl-C. Killed in any other way it loses nothing: the next one goes on.
    """
    from rich.console import Console
    from rich.table import Table

    from headrace.feature_store.repo import open_store
    from headrace.feature_store.streaming import (
        ConsumerOptions,
        EventSource,
        KafkaSource,
        RedisStreamSource,
        consume,
    )

    store = open_store(repo, config)
    source: EventSource = (
        KafkaSource(kafka, name, group="headrace") if kafka else RedisStreamSource(url, name)
    )
    place = log or repo / "data" / "event_log"
    _begin(store, place, history or repo / "data" / "events")
    options = ConsumerOptions(metrics_port=metrics_port, idle_seconds=idle)
    summary = consume(store, source, place, options)
    table = Table(show_header=False)
    for key, value in asdict(summary).items():
        table.add_row(key, f"{value:,.3f}" if isinstance(value, float) else str(value))
    Console().print(table)


def _begin(store: FeatureStore, log: Path, history: Path) -> None:
    """Lets a new log begin with the events whose rows have been materialised."""
    import polars as pl

    from headrace.feature_store.rolling.registry import rolling_views
    from headrace.feature_store.streaming import seed

    ends = [store.get_feature_view(v.name).most_recent_end_time for v in rolling_views(store)]
    until = min((end for end in ends if end), default=None)
    if until is not None and history.exists():
        events = pl.scan_parquet(history).filter(pl.col("known_at") <= until)
        seed(store, log, events.collect())
