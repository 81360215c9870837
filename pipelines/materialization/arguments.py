"""A project as the arguments of the materialization pipeline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from headrace.components.shared.errors import ConfigError
from headrace.feature_store.repo import read_repo
from headrace.pipelines.training import arguments as training

_SHARED = ("project", "sources", "data_version", "features_code")


def arguments(
    folder: Path, *, home: Path, config: str | None = None, until: str = ""
) -> dict[str, Any]:
    """Values for every parameter of ``materialization_pipeline``.

    Args:
        folder: The project.
        home: Where the project's runs are.
        config: Configuration file of the Feast repository.
        until: Last moment to bring online; empty for now.

    Raises:
        ConfigError: the project is not valid, or has no feature store.
    """
    values = training.arguments(folder, home=home)
    settings = values["feature_store"]
    if not {"repo", "service"} <= set(settings):
        raise ConfigError(
            f"{folder} has no feature store.",
            fix="Name repo and service under `feature_store` in project.yaml.",
        )
    root = (folder / settings["repo"]).resolve()
    return {
        **{name: values[name] for name in _SHARED},
        "repo_code": read_repo(root, config),
        "service": settings["service"],
        "root": str(root),
        "until": until,
    }
