"""Options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

HOME_FOLDER = ".headrace"

ProjectArgument = Annotated[
    Path, typer.Argument(help="Project folder, the one with project.yaml.", show_default=False)
]
ProjectOption = Annotated[
    Path, typer.Option("--project", "-p", help="Project folder whose runs are meant.")
]
HomeOption = Annotated[
    Path | None,
    typer.Option(
        "--home",
        envvar="HEADRACE_HOME",
        help="Where runs, finished steps and pushed models are kept. "
        f"Default: {HOME_FOLDER} in the project.",
        show_default=False,
    ),
]
SetOption = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY=VALUE",
        help="Override a key of project.yaml for this run, for example training.epochs=3.",
        show_default=False,
    ),
]


def home_of(project: Path, home: Path | None) -> Path:
    """The home that a command on ``project`` uses."""
    return (home or project / HOME_FOLDER).absolute()
