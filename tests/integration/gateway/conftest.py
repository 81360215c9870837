"""A Feast repository on a real Redis, and a model server: what each test of the gateway needs."""

from __future__ import annotations

import pytest
import yaml
from feast import FeatureStore

from headrace.feature_store.local_redis import LocalRedis, free_port
from tests.support.mounts import mounted  # noqa: F401

from .model_server import ModelServer
from .rides import MODEL, Running, definitions, fill, push


@pytest.fixture(scope="session")
def redis():
    with LocalRedis() as server:
        yield server


@pytest.fixture(scope="session")
def repo(tmp_path_factory, redis):
    """A Feast repository, materialised."""
    folder = tmp_path_factory.mktemp("repo")
    config = {
        "project": "rides",
        "provider": "local",
        "registry": str(folder / "registry.db"),
        "offline_store": {"type": "headrace.feature_store.offline.store.AsofOfflineStore"},
        "online_store": {"type": "redis", "connection_string": redis.connection_string},
        "entity_key_serialization_version": 3,
    }
    (folder / "feature_store.yaml").write_text(yaml.safe_dump(config))
    FeatureStore(repo_path=str(folder)).apply(definitions(folder))
    fill(folder)
    return folder


@pytest.fixture
def running(tmp_path, repo):
    """One version pushed and served; :meth:`Running.serving` starts the gateway."""
    push(tmp_path, repo)
    server = ModelServer(MODEL, free_port()).start()
    yield Running(tmp_path, repo, server)
    server.stop()
