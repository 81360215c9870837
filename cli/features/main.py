"""The commands of ``headrace features``."""

from __future__ import annotations

import typer

from headrace.cli.features import check, impact, materialize, quality, redis, replay, serve, stream

app = typer.Typer(
    help="Serve, refresh and check the features of a Feast repository.", no_args_is_help=True
)
app.command("materialize")(materialize.materialize)
app.command("serve")(serve.serve)
app.command("stream")(stream.stream)
app.command("replay")(replay.replay)
app.command("redis")(redis.redis)
app.command("check")(check.check)
app.command("quality")(quality.quality)
app.command("impact")(impact.impact)
