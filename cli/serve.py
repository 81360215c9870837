"""``headrace serve``: a model server, TensorFlow's where it is installed, else the embedded one."""

from __future__ import annotations

import os
import shutil
from dataclasses import fields
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from headrace.cli import serve_all
from headrace.serving.server.config.flags import Flags

BINARY = "tensorflow_model_server"
ALL = "--all"
#: TensorFlow Serving's flags pass through untouched.
PASS_THROUGH = {"allow_extra_args": True, "ignore_unknown_options": True}
#: What the help says of them.
FLAGS = "Flags, as TensorFlow Serving has them: " + " ".join(
    f"--{one.name}" for one in fields(Flags)
)


class Serve(TyperCommand):
    """With ``--all`` it is another command, whose options are no model server's flags."""

    def make_context(
        self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any
    ) -> Any:
        """Takes the words after ``serve``."""
        if ALL not in args:
            return super().make_context(info_name, args, parent, **extra)
        rest = [word for word in args if word != ALL]
        command = typer.main.get_command(serve_all.app)
        return command.make_context(f"{info_name} {ALL}", rest, parent, **extra)


def serve(
    context: typer.Context,
    everything: Annotated[
        bool,
        typer.Option(ALL, help=f"Serve a whole project: see headrace serve {ALL} --help."),
    ] = False,
) -> None:
    """Serve models over gRPC and REST, with TensorFlow Serving's flags.

    For example --model_name=flights --model_base_path=/models/flights --rest_api_port=8501.
    Runs tensorflow_model_server when it is on PATH, otherwise the embedded server.
    """
    binary = shutil.which(BINARY)
    if binary is not None:
        typer.echo(f"Serving with {binary}", err=True)
        os.execv(binary, [binary, *context.args])
    from headrace.serving.server.main import main

    typer.echo(f"Serving with the embedded server: there is no {BINARY} on PATH", err=True)
    raise typer.Exit(main(context.args))
