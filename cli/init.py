"""``headrace init``: a new project that runs as it is."""

from __future__ import annotations

import re
import secrets
import shutil
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from headrace.components.shared.errors import ConfigError, StorageError

TEMPLATES = Path(__file__).parent / "templates" / "project"
_RENDERED = ".j2"
#: Written last: with it, a folder is a project.
_LAST = "project.yaml"


class Task(StrEnum):
    """What kind of answer the model gives."""

    BINARY = "binary"
    REGRESSION = "regression"


_VALUES = {
    Task.BINARY: {"task": "binary_classification", "label": "late", "other": "hours"},
    Task.REGRESSION: {"task": "regression", "label": "hours", "other": "late"},
}


def init(
    folder: Annotated[Path, typer.Argument(help="New or empty folder.", show_default=False)],
    task: Annotated[Task, typer.Option(help="What the model predicts.")] = Task.BINARY,
) -> None:
    """Start a project in FOLDER: it comes with sample data and runs as it is."""
    create(folder, task)
    typer.echo(f"{folder} is ready. Train its model:\n\n  headrace run {folder}")


def create(folder: Path, task: Task = Task.BINARY) -> None:
    """Writes a new project.

    Args:
        folder: Where; must not exist, or be an empty folder.
        task: What the model predicts.

    Raises:
        ConfigError: something is there already, or the folder's name has no letter or digit.
        StorageError: the folder cannot be written; nothing is left behind.
    """
    target = folder.absolute().resolve()
    files = _files({"name": _project_name(target), **_VALUES[task]})
    try:
        is_there = target.exists()
        if is_there:
            _require_empty(target, shown=folder)
        # Beside its place, so that the last move is a rename and cannot stop half-way. A folder
        # that exists may be somebody's working directory: it stays, and its contents move in.
        parent = target if is_there else target.parent
        scratch = parent / f".{target.name}.{secrets.token_hex(4)}"
        scratch.mkdir(parents=True)
        try:
            _write(files, scratch)
            if is_there:
                for item in sorted(scratch.iterdir(), key=lambda item: item.name == _LAST):
                    item.rename(target / item.name)
            else:
                scratch.rename(target)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    except OSError as error:
        raise StorageError(
            f"{folder} cannot be written: {error.strerror}.", fix="Choose another place."
        ) from error


def _require_empty(target: Path, *, shown: Path) -> None:
    if not target.is_dir():
        raise ConfigError(
            f"{shown} is a file; a new or empty folder is needed.", fix="Choose another name."
        )
    found = sorted(item.name for item in target.iterdir())
    if found:
        more = f" and {len(found) - 1} more" if len(found) > 1 else ""
        raise ConfigError(
            f"{shown} is not empty: it has {found[0]}{more}.",
            fix="Name a new folder, for example `headrace init my-project`.",
        )


def _project_name(target: Path) -> str:
    name = re.sub(r"[^a-z0-9]+", "-", target.name.lower()).strip("-")
    if not name:
        raise ConfigError(
            f"The folder's name {target.name!r} has no letter a-z or digit to name a model with.",
            fix="Choose another name.",
        )
    return name


def _files(values: Mapping[str, str]) -> dict[str, str]:
    """Path inside the project to content."""
    import jinja2

    from headrace.cli import sample_data

    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,
    )
    files = {"data/deliveries.csv": sample_data.deliveries()}
    for path in sorted(TEMPLATES.iterdir()):
        if path.suffix == _RENDERED:
            files[path.stem] = templates.get_template(path.name).render(values)
        elif path.is_file():
            # A file of its real name would also count for this repository.
            name = ".gitignore" if path.name == "gitignore" else path.name
            files[name] = path.read_text(encoding="utf-8")
    return files


def _write(files: Mapping[str, str], folder: Path) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(content, encoding="utf-8")
