"""A project as the arguments of the batch inference pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from headrace.components.shared.config.project import load
from headrace.feature_store.repo import read_repo
from headrace.pipelines.training.arguments import serving_destination


def arguments(
    folder: Path,
    *,
    home: Path,
    rows: str,
    destination: str,
    version: int = 0,
    keys: Sequence[str] = (),
    as_of: str = "",
    overrides: Sequence[str] = (),
) -> dict[str, Any]:
    """Values for the parameters of ``batch_inference_pipeline``.

    Args:
        folder: The project.
        home: Where relative serving destinations are.
        rows: Parquet file, folder or glob, local or a URI.
        destination: Folder or URI above the predictions' folder.
        version: Version to ask; 0 for the newest.
        keys: Columns to copy beside the predictions.
        as_of: Moment (ISO 8601) for a table without ``event_timestamp``.
        overrides: Keys to set instead of project.yaml's, as ``section.key=value``.

    Raises:
        ConfigError: the project is not valid.
    """
    project = load(folder, overrides)
    repo = project.feature_store.repo
    root = (folder / repo).resolve() if repo else None
    return {
        "project": project.name,
        "rows": _absolute(rows),
        "destination": _absolute(destination),
        "models": serving_destination(project, home),
        "repo_code": read_repo(root) if root else {},
        "root": str(root or ""),
        "version": version,
        "keys": list(keys),
        "as_of": as_of,
    }


def _absolute(place: str) -> str:
    return place if "://" in place else str(Path(place).absolute())
