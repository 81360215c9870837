"""The ``headrace`` command.

Modules that take long to import are imported inside the commands that need them, so that
``headrace --help`` answers at once.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from headrace import __version__
from headrace.cli import compile as compile_command
from headrace.cli import edge, gateway, init, lint, models, predict, run, runs, serve
from headrace.cli.cluster import remote, schedule, submit, upload
from headrace.cli.features import main as features
from headrace.components.shared.errors import HeadraceError

app = typer.Typer(
    name="headrace",
    help="Train, gate and push models through compiled Kubeflow pipelines, here or on a cluster.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command("init")(init.init)
app.command("run")(run.run)
app.command("compile")(compile_command.compile_pipelines)
app.command("lint")(lint.lint)
app.command("serve", cls=serve.Serve, context_settings=serve.PASS_THROUGH, epilog=serve.FLAGS)(
    serve.serve
)
app.add_typer(runs.app, name="runs")
app.add_typer(features.app, name="features")
app.command("gateway")(gateway.gateway)
app.add_typer(predict.app, name="predict")
app.add_typer(models.app, name="models")
app.add_typer(edge.app, name="edge")
app.command("submit")(submit.submit)
app.add_typer(schedule.app, name="schedule")
app.command("upload")(upload.upload)
app.add_typer(remote.app, name="remote")


def _version(value: bool) -> None:
    if value:
        typer.echo(f"headrace {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Options of the command itself."""


def main() -> None:
    """Entry point: errors meant for people are shown without a traceback."""
    try:
        app()
    except HeadraceError as error:
        sys.exit(_show(error))
    except OSError as error:
        from headrace.components.shared import files

        refusal = files.disk_error(error)
        if refusal is None:
            raise
        sys.exit(_show(refusal))
    except KeyboardInterrupt:  # before the runner has taken over
        sys.exit(run.ExitCode.INTERRUPTED)


def _show(error: HeadraceError) -> int:
    from rich.console import Console
    from rich.text import Text

    console = Console(stderr=True)
    console.print(Text.assemble(("✘ ", "bold red"), error.message), soft_wrap=True)
    console.print(Text(f"  {error.fix}"), soft_wrap=True)
    return 1
