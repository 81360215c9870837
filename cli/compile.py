"""``headrace compile``: the pipelines as YAML."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from headrace.cli.options import SetOption

if TYPE_CHECKING:
    from headrace.components.shared.config.platform import Platform


def compile_pipelines(
    folder: Annotated[Path, typer.Argument(help="Folder to write the YAML files to.")] = Path(
        "compiled"
    ),
    target: Annotated[
        Literal["kubeflow", "vertex"], typer.Option(help="Where they will run.")
    ] = "kubeflow",
    project: Annotated[
        Path | None,
        typer.Option(
            "--project",
            "-p",
            help="Project folder whose section `platform` counts.",
            show_default="the defaults",
        ),
    ] = None,
    images: Annotated[
        list[str] | None,
        typer.Option(
            "--image",
            metavar="ROLE=IMAGE",
            help="Image of the steps of a role, core or tfx; may be repeated.",
            show_default=False,
        ),
    ] = None,
    overrides: SetOption = None,
) -> None:
    """Compile every pipeline to KFP YAML, ready to upload."""
    from headrace.pipelines.compile import compile_all
    from headrace.pipelines.platform import left_out_for_vertex

    platform = _platform(project, overrides or [], images or [])
    for path in compile_all(folder, target=target, platform=platform):
        typer.echo(path)
    left_out = left_out_for_vertex(platform) if target == "vertex" else []
    if left_out:
        typer.echo(f"Vertex AI has no place for: {', '.join(left_out)}.", err=True)


def _platform(project: Path | None, overrides: list[str], images: list[str]) -> Platform:
    from headrace.components.shared.config.platform import Platform
    from headrace.components.shared.config.project import load
    from headrace.components.shared.errors import ConfigError

    if overrides and project is None:
        raise ConfigError("--set changes a project, and none is named.", fix="Give --project.")
    platform = load(project, overrides).platform if project else Platform()
    given = dict(image.partition("=")[::2] for image in images)
    return platform.with_images(given, where="--image")
