"""``headrace gateway``: from entity keys to predictions over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from headrace.cli.features.options import AsOfOption

CONFIG = Path("gateway.yaml")


def gateway(
    config: Annotated[Path, typer.Argument(help="The gateway's configuration.")] = CONFIG,
    host: Annotated[str, typer.Option(help="Where to listen.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Where to listen.")] = 8080,
    access_log: Annotated[
        bool, typer.Option("--access-log", help="Log every request, not only those that fail.")
    ] = False,
    as_of: AsOfOption = None,
) -> None:
    """Answer with predictions for entities; their features are read online.

    POST /v1/predict/MODEL with entity keys and request fields; /docs has the form of each model.
    """
    from headrace.feature_store.clock import clock
    from headrace.serving.gateway import app, ecs
    from headrace.serving.gateway.config import load
    from headrace.serving.gateway.gateway import Gateway

    service = Gateway(load(config), now=clock(as_of))
    ecs.configure("headrace-gateway", access=access_log)
    app.serve(service, host=host, port=port)
