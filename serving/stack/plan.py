"""From a project to the services that answer for it, or to what is still to be done."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from headrace.components.shared import files
from headrace.components.shared.config.project import Project
from headrace.components.shared.config.project import load as load_project
from headrace.components.shared.errors import ConfigError
from headrace.components.shared.model_store import ModelStore
from headrace.feature_store.local_redis import is_free
from headrace.pipelines.training.arguments import serving_destination
from headrace.serving.gateway.config import GatewayConfig, Model, Predictions
from headrace.serving.gateway.config import load as load_gateway
from headrace.serving.stack.supervisor import Service

if TYPE_CHECKING:
    from feast import FeatureStore

HOST = "127.0.0.1"
FOLDER = "serving"
#: TensorFlow Serving's program, which keeps no audit trail.
BINARY = "tensorflow_model_server"
_CLI = (sys.executable, "-m", "headrace.cli")
_LOCAL = ("localhost", HOST)


@dataclass(frozen=True)
class Ports:
    """Where the services listen."""

    gateway: int
    features: int
    grpc: int
    rest: int


@dataclass(frozen=True)
class Plan:
    """What to start.

    Attributes:
        model: The model's name.
        services: In the order in which they start.
        gateway: URL of the gateway.
        authorised: Whether the gateway asks for a token.
        online_until: The last moment of the features; None without a feature store.
    """

    model: str
    services: Sequence[Service]
    gateway: str
    authorised: bool
    online_until: datetime | None


def make(project: Path, home: Path, ports: Ports, *, config: str | None, as_of: str | None) -> Plan:
    """Looks whether everything is there, and writes the gateway's configuration.

    Args:
        project: The project's folder.
        home: Where its runs and pushed models are; ``serving`` in it gets logs and configuration.
        ports: Where to listen.
        config: Configuration file in the Feast repository.
        as_of: The moment for which features are asked (ISO 8601); None for now.

    Raises:
        ConfigError: no model is pushed, or its features are not materialised.
    """
    settings = load_project(project)
    name, models = settings.name, serving_destination(settings, home)
    versions = ModelStore(models, name)
    if not versions.versions():
        raise ConfigError(
            f"No version of model {name!r} has been pushed to {versions.uri}.",
            fix=f"Train and push one: headrace run {project}{_home_option(project, home)}",
        )
    gateway = _gateway_config(project, home, name)
    config = config or gateway.models[name].config
    asked = versions.manifest(versions.versions()[0]).get("feature_store") or {}
    moment = ["--as-of", as_of] if as_of else []
    services: list[Service] = []
    repo, until = None, None
    if asked:
        repo = _repo(settings, project)
        store, until = _online(project, home, repo, config, asked["feature_views"])
        services += _redis(store, project, home, config)
        services.append(_features(repo, config, ports.features, moment))
    services.append(_model_server(name, f"{models}/{name}", ports, gateway.audit))
    changed = {"server": f"{HOST}:{ports.grpc}", "versions": models, "repo": repo, "config": config}
    written = _write(gateway, name, changed, home / FOLDER / "gateway.yaml")
    services.append(_gateway(written, ports.gateway, moment))
    authorised = bool(gateway.auth.tokens or gateway.auth.tokens_from)
    return Plan(name, services, services[-1].url, authorised, until)


def _repo(settings: Project, project: Path) -> Path:
    if settings.feature_store.repo is None:
        raise ConfigError(
            f"Model {settings.name!r} was trained on features, but {project} names no feature "
            "store.",
            fix="Name repo and service under `feature_store` in project.yaml.",
        )
    return (project / settings.feature_store.repo).resolve()


def _home_option(project: Path, home: Path) -> str:
    return "" if home == (project / ".headrace").absolute() else f" --home {home}"


def _online(
    project: Path, home: Path, repo: Path, config: str | None, views: Sequence[str]
) -> tuple[FeatureStore, datetime]:
    """The opened store, and until when its features are online."""
    from headrace.feature_store.repo import open_store

    option = f" --config {config}" if config else ""
    command = f"headrace features materialize {project}{option}{_home_option(project, home)}"
    store = open_store(repo, config)
    known = {view.name: view for view in store.list_feature_views()}
    computed = {view.name for view in store.list_on_demand_feature_views()}
    wanted = [view for view in views if view not in computed]
    ends = [known[view].most_recent_end_time for view in wanted if view in known]
    online = [end for end in ends if end is not None]
    if not online or len(online) < len(wanted):
        lost = [v for v in wanted if v not in known or known[v].most_recent_end_time is None]
        raise ConfigError(
            f"The features of {', '.join(lost)} are not online: they were never materialised.",
            fix=f"Bring them online: {command}",
        )
    return store, max(online)


def _redis(store: FeatureStore, project: Path, home: Path, config: str | None) -> list[Service]:
    """A Redis of our own when the online store is one on this machine that does not run."""
    online: Any = store.config.online_store
    if online.type != "redis":
        return []
    host, _, rest = online.connection_string.split(",")[0].partition(":")
    port = int(rest or 6379)
    if host not in _LOCAL or not is_free(port):
        return []
    data = home / FOLDER / "redis"
    command = ["features", "redis", "--port", str(port), "--folder", str(data)]
    if not data.is_dir():
        raise ConfigError(
            f"The online store is Redis on {host}:{port}, where nothing answers, and {data} holds "
            "no data of an earlier one.",
            fix=f"Start one: headrace {' '.join(command)}\n  Then, in another terminal: "
            f"headrace features materialize {project} --config {config or 'CONFIG'}",
        )
    return [Service("redis", [*_CLI, *command], port, "connection_string", f"{host}:{port}")]


def _features(repo: Path, config: str | None, port: int, moment: list[str]) -> Service:
    command = [*_CLI, "features", "serve", "--repo", str(repo), "--host", HOST]
    command += ["--port", str(port), *(["--config", config] if config else []), *moment]
    url = f"http://{HOST}:{port}"
    return Service("feature server", command, port, "--features-port", url, f"{url}/health")


def _model_server(name: str, base_path: str, ports: Ports, audit: Path | None) -> Service:
    command = [*_CLI, "serve", f"--model_name={name}", f"--model_base_path={base_path}"]
    command += [f"--port={ports.grpc}", f"--rest_api_port={ports.rest}"]
    if audit is not None and shutil.which(BINARY) is None:
        command += [f"--audit_file={audit}"]
    url = f"http://{HOST}:{ports.rest}/v1/models/{name}"
    return Service(
        "model server",
        command,
        ports.grpc,
        "--grpc-port",
        f"{url}  (gRPC: {HOST}:{ports.grpc})",
        url,
        (("--rest-port", ports.rest),),
    )


def _gateway(config: Path, port: int, moment: list[str]) -> Service:
    command = [*_CLI, "gateway", str(config), "--host", HOST, "--port", str(port), *moment]
    url = f"http://{HOST}:{port}"
    return Service("gateway", command, port, "--gateway-port", url, f"{url}/readyz")


def _gateway_config(project: Path, home: Path, name: str) -> GatewayConfig:
    """The project's own ``gateway.yaml``, or the defaults."""
    path = project / "gateway.yaml"
    if not path.exists():
        log = Predictions(folder=home / "predictions")
        return GatewayConfig(models={name: Model()}, predictions=log, audit=home / "audit.jsonl")
    found = load_gateway(path)
    return found.model_copy(update={"models": {name: Model(), **found.models}})


def _write(gateway: GatewayConfig, name: str, changed: Mapping[str, Any], target: Path) -> Path:
    """The configuration with the places of this stack; all paths in it are absolute."""
    model = gateway.models[name].model_copy(update=dict(changed))
    found = gateway.model_copy(update={"models": {**gateway.models, name: model}})
    with files.writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(yaml.safe_dump(found.model_dump(mode="json")), encoding="utf-8")
    return target
