"""A project as the arguments of the training pipeline."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from headrace.components.shared.config.data import Source
from headrace.components.shared.config.project import Project, load, read_code
from headrace.components.shared.errors import ConfigError
from headrace.feature_store.repo import read_repo

_SECTIONS = (
    "label",
    "feature_store",
    "features",
    "split",
    "validation",
    "leakage",
    "tuning",
    "training",
    "evaluation",
    "promotion",
    "serving",
)


def arguments(folder: Path, *, home: Path, overrides: Sequence[str] = ()) -> dict[str, Any]:
    """Values for every parameter of ``training_pipeline``.

    Args:
        folder: The project.
        home: Where relative serving destinations are.
        overrides: Keys to set instead of project.yaml's, as ``section.key=value``.

    Raises:
        ConfigError: the project is not valid.
        SourceError: a source does not exist.
    """
    project = load(folder, overrides)
    code = read_code(folder)
    sources = {name: _absolute(source, folder) for name, source in project.sources.items()}
    # Without nulls: they are the defaults anyway, and KFP's SDK refuses them inside a parameter.
    values = project.model_dump(mode="json", exclude_none=True)
    return {
        **{name: values[name] for name in _SECTIONS},
        "edge": values.get("edge", {}),
        "project": project.name,
        "sources": {
            name: source.model_dump(mode="json", exclude_none=True)
            for name, source in sources.items()
        },
        "data_version": data_version(sources),
        "curated_schema": _schema_text(project, folder),
        "serving_destination": serving_destination(project, home),
        "features_code": _only(code, "features.py"),
        "repo_code": _repo_code(project, folder),
        "preprocessing_code": _only(code, "preprocessing.py"),
        # Without a search the tuner does not read the model, so a change of it does not concern it.
        "search_code": _only(code, "model.py") if project.tuning.trials else {},
        "model_code": _only(code, "model.py"),
        "beam_args": project.platform.beam_pipeline_args.get("transform", []),
    }


def data_version(sources: dict[str, Source]) -> str:
    """A hash of all source files; the current time when one is a database or a table store."""
    from headrace.components.data.ingest.readers import locate

    if any(source.format in ("sql", "delta") for source in sources.values()):
        return f"read-{time.time():.0f}"
    digest = hashlib.sha256()
    for name, source in sorted(sources.items()):
        for path in locate(source.path or ""):
            with path.open("rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
            digest.update(f"{name}\0{content}\n".encode())
    return digest.hexdigest()[:20]


def _absolute(source: Source, folder: Path) -> Source:
    if source.path is None or "://" in source.path:
        return source
    return source.model_copy(update={"path": str((folder / source.path).absolute())})


def _repo_code(project: Project, folder: Path) -> dict[str, str]:
    repo = project.feature_store.repo
    return read_repo(folder / repo) if repo else {}


def serving_destination(project: Project, home: Path) -> str:
    """Folder or URI above the models' folders."""
    destination = project.serving.destination
    return destination if "://" in destination else str((home / destination).absolute())


def _schema_text(project: Project, folder: Path) -> str:
    if project.curated_schema is None:
        return ""
    path = folder / project.curated_schema
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"curated_schema {path} cannot be read: {error.strerror}.", fix="Correct the path."
        ) from None


def _only(code: dict[str, str], name: str) -> dict[str, str]:
    return {name: code[name]} if name in code else {}
