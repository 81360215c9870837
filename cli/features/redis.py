"""``headrace features redis``: a Redis-compatible server on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def redis(
    port: Annotated[int, typer.Option(help="Where to listen.")] = 6379,
    folder: Annotated[
        Path | None,
        typer.Option(help="Keep the data there over restarts.", show_default="in memory only"),
    ] = None,
) -> None:
    """Run a Redis-compatible server for trying things out, until Ctrl-C."""
    import contextlib
    import signal

    from headrace.feature_store.local_redis import LocalRedis

    with LocalRedis(folder, port, persistent=folder is not None) as server:
        typer.echo(f"FEAST_REDIS={server.connection_string} FEAST_REDIS_TYPE=redis  {server.url}")
        with contextlib.suppress(KeyboardInterrupt):
            signal.pause()
