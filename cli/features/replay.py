"""``headrace features replay``: publish recorded events again."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from headrace.cli.features.options import LOCAL_REDIS, STREAM, KafkaOption, StreamOption, UrlOption


def replay(
    events: Annotated[
        Path,
        typer.Argument(help="Parquet file or folder of events, such as data/events.", exists=True),
    ],
    name: StreamOption = STREAM,
    url: UrlOption = LOCAL_REDIS,
    kafka: KafkaOption = None,
    speed: Annotated[
        float | None, typer.Option(help="So many times as fast as it happened.", show_default=False)
    ] = None,
    rate: Annotated[
        float | None, typer.Option(help="So many events per second.", show_default=False)
    ] = None,
    since: Annotated[
        datetime | None, typer.Option(help="Only events known after it (UTC).", show_default=False)
    ] = None,
    until: Annotated[
        datetime | None, typer.Option(help="Only events known by then (UTC).", show_default=False)
    ] = None,
    progress: Annotated[
        Path | None,
        typer.Option(help="File that remembers how far it came; go on there.", show_default=False),
    ] = None,
) -> None:
    """Publish EVENTS in the order in which they became known; as fast as it goes by default."""
    import polars as pl

    from headrace.feature_store.streaming import EventSink, KafkaSink, RedisStreamSink
    from headrace.feature_store.streaming import replay as publish

    sink: EventSink = KafkaSink(kafka, name) if kafka else RedisStreamSink(url, name)
    rows = pl.read_parquet(events)
    if since:
        rows = rows.filter(pl.col("known_at") > since.replace(tzinfo=UTC))
    if until:
        rows = rows.filter(pl.col("known_at") <= until.replace(tzinfo=UTC))
    summary = publish(rows, sink, speed=speed, rate=rate, progress=progress)
    rate_done = summary.events / max(summary.seconds, 1e-9)
    typer.echo(
        f"{summary.events:,} events in {summary.seconds:.1f} s ({rate_done:,.0f}/s), "
        f"{summary.remaining:,} left"
    )
