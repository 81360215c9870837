"""The connection to a server, checked before anything is created."""

from __future__ import annotations

import contextlib
import io
import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import kfp_server_api  # type: ignore[import-untyped]
from kfp.client import Client
from kfp.client.client import KF_PIPELINES_UI_ENDPOINT_ENV
from kfp.client.set_volume_credentials import ServiceAccountTokenVolumeCredentials

from headrace.components.shared.errors import ConfigError
from headrace.pipelines.cluster.connection import Connection
from headrace.pipelines.cluster.errors import ClusterError
from headrace.pipelines.cluster.transport import Transport

#: Where a pod finds the name of its own namespace.
_POD_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


class _Client(Client):  # type: ignore[misc]
    """KFP's client, which asks nothing before it has time limits.

    Attributes:
        namespace: What requests name, once that is known.
    """

    namespace: str | None = None

    def get_user_namespace(self) -> str:
        """The namespace of requests; until it is known, that of the user's settings."""
        saved: str = super().get_user_namespace()
        return saved if self.namespace is None else self.namespace

    def get_kfp_healthz(self, sleep_duration: int = 5) -> Any:
        """Answers the constructor, which would wait 25 s and write into the user's settings."""
        return kfp_server_api.V2beta1GetHealthzResponse(multi_user=False)


@dataclass(frozen=True)
class Cluster:
    """A server that answers.

    Attributes:
        client: KFP's client.
        api: The HTTP layer below it, for what the client does not offer.
        url: The server's address, for messages.
        pages: The address of the web interface, for links.
        namespace: The namespace that requests name; empty on servers for one user, which refuse it.
        pods: The namespace of the steps' pods, as far as it is known.
    """

    client: Any
    api: Any
    url: str
    pages: str
    namespace: str
    pods: str

    def run_link(self, run_id: str) -> str:
        """The run's page."""
        return f"{self.pages}/#/runs/details/{run_id}"

    def version_link(self, pipeline_id: str, version_id: str) -> str:
        """The page of a pipeline's version."""
        return f"{self.pages}/#/pipelines/details/{pipeline_id}/version/{version_id}"

    @contextlib.contextmanager
    def quiet(self) -> Iterator[Any]:
        """The client without the lines that it prints of its own accord."""
        with contextlib.redirect_stdout(io.StringIO()):
            yield self.client


def connect(connection: Connection) -> Cluster:
    """Connects, and asks the server how it is.

    Raises:
        ConfigError: an option is missing or names a file that is not there.
        ClusterError: the server does not answer as KFP does.
    """
    _require_files(connection)
    client = _make(connection)
    # KFP offers no way to set a time limit. All its API classes share this one object.
    api = client._run_api.api_client
    api.rest_client = Transport(api.configuration, connection)
    health = client.healthzs.healthz_service_get_healthz()
    url = connection.shown_url
    # A forwarded API server has no pages; KFP's own variable names the server that has.
    pages = os.environ.get(KF_PIPELINES_UI_ENDPOINT_ENV, url).rstrip("/")
    namespace = client.namespace = _namespace(connection, client, health)
    pods = namespace or connection.namespace or "kubeflow"
    return Cluster(client, api, url, pages, namespace, pods)


def _require_files(connection: Connection) -> None:
    files = {"--token-file": connection.token_file, "--ssl-ca-cert": connection.ssl_ca_cert}
    for option, name in files.items():
        if name and not Path(name).is_file():
            raise ConfigError(f"{option} {name} is not a file.", fix="Correct the path.")


def _make(connection: Connection) -> Any:
    credentials = connection.token_file and ServiceAccountTokenVolumeCredentials(
        connection.token_file
    )
    with warnings.catch_warnings():
        # About servers before KFP 2.
        warnings.simplefilter("ignore", FutureWarning)
        try:
            return _Client(
                host=connection.url,
                client_id=connection.client_id,
                other_client_id=connection.other_client_id,
                other_client_secret=connection.other_client_secret,
                existing_token=connection.token,
                cookies=connection.cookies,
                ssl_ca_cert=connection.ssl_ca_cert,
                credentials=credentials or None,
                verify_ssl=not connection.insecure,
            )
        except Exception as error:
            raise _not_set_up(connection, error) from None


def _not_set_up(connection: Connection, error: Exception) -> ClusterError:
    reason = connection.without_secrets(str(error)).partition("\n")[0]
    what = f"{connection.shown_url}: {type(error).__name__}: {reason}"
    if connection.client_id:
        return ClusterError(
            f"No credentials for {what}",
            fix="Check --client-id, and that Google's application default credentials or "
            "--other-client-id and --other-client-secret are valid.",
        )
    return ClusterError(
        f"KFP's client cannot be made for {what}",
        fix=f"Correct or remove its settings, {Client._LOCAL_KFP_CONTEXT}.",
    )


def _namespace(connection: Connection, client: Any, health: Any) -> str:
    if health.multi_user is False:
        return ""
    found: str = connection.namespace or client.get_user_namespace()
    if found or not health.multi_user:
        # An older web interface does not say whether there are several users.
        return found
    if _POD_NAMESPACE.is_file():
        found = _POD_NAMESPACE.read_text(encoding="utf-8").strip()
    if not found:
        raise ConfigError(
            f"{connection.shown_url} has several users, and no namespace is named.",
            fix="Name your profile's namespace with --namespace or HEADRACE_KFP_NAMESPACE.",
        )
    return found
