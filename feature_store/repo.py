"""Opening Feast repositories: a folder as it is, or its files applied for the time of one step."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from headrace.components.shared import project_code
from headrace.components.shared.errors import ConfigError, HeadraceError
from headrace.components.shared.text import nearest

if TYPE_CHECKING:
    from feast import FeatureService, FeatureStore

#: Environment variable that names the folder of the repository's tables (see its `sources.py`).
DATA_VARIABLE = "HEADRACE_FEATURE_DATA"
CONFIG_FILE = "feature_store.yaml"


def read_repo(folder: Path) -> dict[str, str]:
    """The files of a Feast repository: its Python modules and ``feature_store.yaml``.

    Raises:
        ConfigError: the folder is no Feast repository.
    """
    if not (folder / CONFIG_FILE).is_file():
        raise ConfigError(
            f"{folder} is not a Feast repository: it has no {CONFIG_FILE}.",
            fix="Correct `feature_store.repo` in project.yaml.",
        )
    paths = [*sorted(folder.glob("*.py")), folder / CONFIG_FILE]
    return {path.name: path.read_text(encoding="utf-8") for path in paths}


def open_store(folder: Path, config: str | None = None) -> FeatureStore:
    """Opens the store of an applied repository.

    Args:
        folder: The Feast repository.
        config: The configuration file in it; by default ``FEAST_FS_YAML_FILE_PATH`` says, as for
            Feast's own commands, or it is ``feature_store.yaml``.

    Raises:
        ConfigError: there is no such repository, or its offline store loses rows.
    """
    from feast import FeatureStore
    from feast.constants import FEAST_FS_YAML_FILE_PATH_ENV_NAME

    from headrace.feature_store.offline import refuse_lossy

    path = Path(config or os.environ.get(FEAST_FS_YAML_FILE_PATH_ENV_NAME, CONFIG_FILE))
    path = path if path.is_absolute() else folder / path
    if not path.is_file():
        raise ConfigError(
            f"{path} does not exist.", fix="Name a Feast repository and its configuration file."
        )
    with _explained(path):
        store = FeatureStore(repo_path=str(folder.absolute()), fs_yaml_file=path)
    refuse_lossy(store.config)
    return store


@contextlib.contextmanager
def applied(code: Mapping[str, str], data: Path) -> Iterator[FeatureStore]:
    """Applies a repository to a registry of its own, with its tables in ``data``.

    What a step computes then depends on its inputs alone, not on what some registry holds.

    Args:
        code: The repository's files by name, as :func:`read_repo` gives them.
        data: Folder of the tables.

    Yields:
        The store. Its online store is an empty SQLite file.

    Raises:
        ConfigError: ``feature_store.yaml`` is not usable.
        ProjectCodeError: a module of the repository raises.
    """
    from feast import FeatureStore
    from feast.repo_config import RepoConfig
    from feast.repo_operations import apply_total

    from headrace.feature_store.offline import refuse_lossy

    settings = yaml.safe_load(code.get(CONFIG_FILE, "")) or {}
    with project_code.importable(code) as folder, tempfile.TemporaryDirectory() as place:
        with _explained(Path(CONFIG_FILE)):
            config = RepoConfig(
                project=settings.get("project", ""),
                provider=settings.get("provider", "local"),
                registry=f"{place}/registry.db",
                offline_store=settings.get("offline_store", {"type": "file"}),
                online_store={"type": "sqlite", "path": f"{place}/online.db"},
                entity_key_serialization_version=3,
                repo_path=folder,
            )
        refuse_lossy(config)
        # Feast derives the modules' names from their paths below the working directory.
        with (
            _data_in(data),
            contextlib.chdir(folder),
            project_code.blamed_on(folder, "the Feast repository"),
        ):
            apply_total(config, folder, skip_source_validation=False)
        yield FeatureStore(config=config)


def feature_service(store: FeatureStore, name: str) -> FeatureService:
    """Finds a feature service.

    Raises:
        ConfigError: the registry has none of that name.
    """
    services = {service.name: service for service in store.list_feature_services()}
    if name not in services:
        raise ConfigError(
            f"The feature store {store.project!r} has no feature service {name!r}.",
            fix=nearest(name, list(services)) or "Define one in its repository and apply it.",
        )
    return services[name]


def registry_hash(store: FeatureStore) -> str:
    """A hash of every definition in the registry, the same wherever and whenever it is applied.

    Places of tables, times of creation and compiled code do not count.
    """
    from google.protobuf.json_format import MessageToDict

    kinds: list[list[Any]] = [
        store.list_entities(),
        store.list_feature_views(),
        store.list_on_demand_feature_views(),
        store.list_feature_services(),
    ]
    specs = [MessageToDict(item.to_proto().spec) for kind in kinds for item in kind]
    lines = sorted(json.dumps(_defining(spec), sort_keys=True) for spec in specs)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:20]


#: Keys of a specification that say where or in which form, not what.
_INCIDENTAL = {"uri", "path", "body", "createdTimestamp", "lastUpdatedTimestamp", "batchSource"}


def _defining(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _defining(item) for key, item in value.items() if key not in _INCIDENTAL}
    if isinstance(value, list):
        return [_defining(item) for item in value]
    return value


@contextlib.contextmanager
def _data_in(data: Path) -> Iterator[None]:
    before = os.environ.get(DATA_VARIABLE)
    os.environ[DATA_VARIABLE] = str(data.absolute())
    try:
        yield
    finally:
        if before is None:
            del os.environ[DATA_VARIABLE]
        else:
            os.environ[DATA_VARIABLE] = before


@contextlib.contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except HeadraceError:
        raise
    except Exception as error:
        reason = str(error).strip().partition("\n")[0]
        raise ConfigError(
            f"{path}: Feast refuses it: {reason}", fix="Correct the file; see Feast's reference."
        ) from error
