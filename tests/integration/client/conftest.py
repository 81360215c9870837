"""The embedded server with the models of its own tests, and the gateway with those of its own."""

from tests.integration.gateway.conftest import redis, repo, running
from tests.integration.serving.conftest import exports, shared

__all__ = ["exports", "redis", "repo", "running", "shared"]
