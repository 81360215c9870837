"""``headrace serve --all``: everything between an entity and a prediction, on this machine."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from headrace.cli.features.options import AsOfOption, ConfigOption
from headrace.cli.options import HomeOption, home_of

if TYPE_CHECKING:
    from headrace.serving.stack.plan import Plan

app = typer.Typer(add_completion=False)


@app.command()
def serve_all(
    project: Annotated[Path, typer.Argument(help="Project folder.")] = Path("."),
    home: HomeOption = None,
    config: ConfigOption = None,
    as_of: AsOfOption = None,
    gateway_port: Annotated[int, typer.Option(help="Port of the gateway.")] = 8080,
    features_port: Annotated[int, typer.Option(help="Port of the feature server.")] = 6566,
    grpc_port: Annotated[int, typer.Option(help="The model server's port for gRPC.")] = 8500,
    rest_port: Annotated[int, typer.Option(help="The model server's port for REST.")] = 8501,
) -> None:
    """Serve PROJECT's newest pushed model: online store, features, model server and gateway.

    Prints a request that works. Ctrl-C ends all; when one process ends, the others are ended too
    and the exit code is 1. Logs are in `serving` in the run home.
    """
    from headrace.feature_store.clock import moment
    from headrace.serving.stack import plan, sample
    from headrace.serving.stack.supervisor import Service, Supervisor

    place = home_of(project, home)
    ports = plan.Ports(gateway_port, features_port, grpc_port, rest_port)
    made = plan.make(project, place, ports, config=config, as_of=as_of)
    supervisor = Supervisor(made.services, place / plan.FOLDER)

    def ready(service: Service) -> None:
        typer.echo(f"{service.name:15} {service.url}")

    def all_ready() -> None:
        now = moment(as_of)
        row = sample.instance(made.gateway, made.model, place, now)
        command = sample.curl(made.gateway, made.model, row, authorised=made.authorised)
        typer.echo(f"\n{_age(made, now)}Try it:\n\n{command}\n")
        typer.echo(f"Logs are in {place / plan.FOLDER}. Ctrl-C ends all.")

    supervisor.run(ready, all_ready)


def _age(made: Plan, now: datetime) -> str:
    """A word of warning when the features are far from the moment for which they are asked."""
    if made.online_until is None or abs((now - made.online_until).days) < 1:
        return ""
    until = f"{made.online_until:%Y-%m-%dT%H:%M:%SZ}"
    return (
        f"Features are online as of {until}, and asked for as of {now:%Y-%m-%dT%H:%M:%SZ}: many "
        f"will be stale.\nFor recorded data: --as-of {until}\n\n"
    )
