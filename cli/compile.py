"""``headrace compile``: the pipelines as YAML."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def compile_pipelines(
    target: Annotated[Path, typer.Argument(help="Folder to write the YAML files to.")] = Path(
        "compiled"
    ),
) -> None:
    """Compile every pipeline to KFP YAML, ready to upload."""
    from headrace.pipelines.compile import compile_all

    for path in compile_all(target):
        typer.echo(path)
