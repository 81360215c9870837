"""``headrace serve``: a model server, TensorFlow's where it is installed, else the embedded one."""

from __future__ import annotations

import os
import shutil
from dataclasses import fields

import typer

from headrace.serving.server.config.flags import Flags

BINARY = "tensorflow_model_server"
#: TensorFlow Serving's flags pass through untouched.
PASS_THROUGH = {"allow_extra_args": True, "ignore_unknown_options": True}
#: What the help says of them.
FLAGS = "Flags, as TensorFlow Serving has them: " + " ".join(
    f"--{one.name}" for one in fields(Flags)
)


def serve(context: typer.Context) -> None:
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
