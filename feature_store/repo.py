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
from headrace.feature_store.rolling.definition import TAG as ROLLING_TAG

if TYPE_CHECKING:
    from feast import FeatureService, FeatureStore

#: Environment variable that names the folder of the repository's tables (see its `sources.py`).
DATA_VARIABLE = "HEADRACE_FEATURE_DATA"
CONFIG_FILE = "feature_store.yaml"


def read_repo(folder: Path, config: str | None = None) -> dict[str, str]:
    """The files of a Feast repository: its Python modules and its configuration.

    Args:
        folder: The repository.
        config: The configuration file in it; see :func:`open_store`.

    Returns:
        File name to text. The configuration is called ``feature_store.yaml`` whatever its name.

    Raises:
        ConfigError: the folder is no Feast repository.
    """
    path = _config_path(folder, config)
    code = {module.name: module.read_text(encoding="utf-8") for module in folder.glob("*.py")}
    return {**dict(sorted(code.items())), CONFIG_FILE: path.read_text(encoding="utf-8")}


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

    from headrace.feature_store.offline import refuse_lossy

    path = _config_path(folder, config)
    with _explained(path):
        store = FeatureStore(repo_path=str(folder.absolute()), fs_yaml_file=path)
    refuse_lossy(store.config)
    return store


def _config_path(folder: Path, config: str | None) -> Path:
    path = Path(config or os.environ.get("FEAST_FS_YAML_FILE_PATH", CONFIG_FILE))
    path = path if path.is_absolute() else folder / path
    if not path.is_file():
        raise ConfigError(
            f"{folder} is not a Feast repository: {path} does not exist.",
            fix="Name the folder that has feature_store.yaml, and the configuration file in it.",
        )
    return path.absolute()


@contextlib.contextmanager
def applied(code: Mapping[str, str], data: Path | str) -> Iterator[FeatureStore]:
    """Applies a repository to a registry of its own, with its tables in ``data``.

    What a step computes then depends on its inputs alone, not on what some registry holds.

    Args:
        code: The repository's files by name, as :func:`read_repo` gives them.
        data: Folder or URI of the tables.

    Yields:
        The store. Its online store is an empty SQLite file.

    Raises:
        ConfigError: ``feature_store.yaml`` is not usable.
        ProjectCodeError: a module of the repository raises.
    """
    tables = str(data) if "://" in str(data) else str(Path(data).absolute())
    with tempfile.TemporaryDirectory() as place:
        own: dict[str, Any] = {
            "registry": f"{place}/registry.db",
            "online_store": {"type": "sqlite", "path": f"{place}/online.db"},
        }
        with _applied(code, Path(place), tables, own) as store:
            yield store


@contextlib.contextmanager
def registered(code: Mapping[str, str], root: str) -> Iterator[FeatureStore]:
    """Applies a repository to the registry and the stores that its configuration names.

    Args:
        code: The repository's files by name, as :func:`read_repo` gives them. Environment
            variables in the configuration are filled in, as Feast does.
        root: Folder or URI that paths are relative to; the tables are in ``data`` there.

    Yields:
        The store.

    Raises:
        ConfigError: ``feature_store.yaml`` is not usable.
        ProjectCodeError: a module of the repository raises.
    """
    with _applied(code, root, f"{root}/data" if "://" in root else None, {}) as store:
        yield store


@contextlib.contextmanager
def _applied(
    code: Mapping[str, str], root: str | Path, data: str | None, own: dict[str, Any]
) -> Iterator[FeatureStore]:
    from feast import FeatureStore
    from feast.repo_config import RepoConfig
    from feast.repo_operations import apply_total

    from headrace.feature_store.offline import refuse_lossy

    settings = yaml.safe_load(os.path.expandvars(code.get(CONFIG_FILE, ""))) or {}
    with project_code.importable(code) as folder:
        with _explained(Path(CONFIG_FILE)):
            config = RepoConfig(**{**_anchored(settings, root), **own, "repo_path": Path(root)})
        refuse_lossy(config)
        # Feast derives the modules' names from their paths below the working directory.
        with (
            _data_in(data),
            contextlib.chdir(folder),
            project_code.blamed_on(folder, "the Feast repository"),
        ):
            apply_total(config, folder, skip_source_validation=False)
        yield FeatureStore(config=config)


def _anchored(settings: dict[str, Any], root: str | Path) -> dict[str, Any]:
    """Makes the files of registry and online store absolute.

    Feast would take them from the working directory, when a configuration does not come from a file
    in the repository.
    """
    sections = dict(settings)
    for name in ("registry", "online_store"):
        section = sections.get(name)
        path = section.get("path") if isinstance(section, dict) else section
        if not isinstance(path, str) or "://" in path or Path(path).is_absolute():
            continue
        absolute = f"{root}/{path}"
        sections[name] = {**section, "path": absolute} if isinstance(section, dict) else absolute
    return sections


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

    Places of tables, times of creation, owners, descriptions and tags do not count.
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


#: Keys of a specification that say where, whose or in which form, not what.
_INCIDENTAL = {
    "batchSource",
    "body",
    "createdTimestamp",
    "description",
    "lastUpdatedTimestamp",
    "owner",
    "path",
    "uri",
}


def _defining(value: Any) -> Any:
    if isinstance(value, dict):
        kept = {key: _defining(item) for key, item in value.items() if key not in _INCIDENTAL}
        if "tags" in kept:
            kept["tags"] = kept["tags"].get(ROLLING_TAG)
        return kept
    if isinstance(value, list):
        return [_defining(item) for item in value]
    return value


@contextlib.contextmanager
def _data_in(data: str | None) -> Iterator[None]:
    """Sets the variable that the repository's modules read, as long as they are imported."""
    if data is None:
        yield
        return
    before = os.environ.get(DATA_VARIABLE)
    os.environ[DATA_VARIABLE] = data
    try:
        yield
    finally:
        del os.environ[DATA_VARIABLE]
        if before is not None:
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
