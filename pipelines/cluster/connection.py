"""How to reach a Kubeflow Pipelines server, and what must never be shown of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from headrace.components.shared.errors import ConfigError

_HIDDEN = "***"
#: A cookie like `lang=1` is no secret, and hiding every 1 would spoil messages.
_SHORTEST = 4


@dataclass(frozen=True, kw_only=True)
class Connection:
    """Address and credentials, as ``kfp.Client`` takes them.

    Attributes:
        host: URL of the API, such as ``https://kubeflow.example/pipeline``.
        namespace: The profile's namespace on servers with several users.
        token: Bearer token.
        token_file: File with a token that may change while a command waits.
        cookies: Text of the header ``Cookie``.
        client_id: Client ID of Google's identity-aware proxy.
        other_client_id: OAuth client of a user, for that proxy.
        other_client_secret: Its secret.
        ssl_ca_cert: File of certificates that are trusted.
        insecure: Do not verify the server's certificate.
        timeout: Seconds to wait for an answer.
    """

    host: str | None = None
    namespace: str | None = None
    token: str | None = field(default=None, repr=False)
    token_file: str | None = None
    cookies: str | None = field(default=None, repr=False)
    client_id: str | None = None
    other_client_id: str | None = None
    other_client_secret: str | None = field(default=None, repr=False)
    ssl_ca_cert: str | None = None
    insecure: bool = False
    timeout: float = 30.0

    @property
    def url(self) -> str:
        """The address with a scheme, without a slash at the end.

        Raises:
            ConfigError: there is none.
        """
        if not self.host:
            raise ConfigError(
                "No Kubeflow Pipelines server is named.",
                fix="Give --host or HEADRACE_KFP_HOST, such as https://kubeflow.example/pipeline; "
                "for a server without an address: "
                "`kubectl port-forward -n kubeflow svc/ml-pipeline 8888` and "
                "--host http://localhost:8888",
            )
        host = self.host if "://" in self.host else f"https://{self.host}"
        return host.rstrip("/")

    @property
    def shown_url(self) -> str:
        """The address for messages: without a user, password or query."""
        parts = urlsplit(self.url)
        netloc = parts.netloc.rpartition("@")[2]
        return parts._replace(netloc=netloc, query="", fragment="").geturl()

    def without_secrets(self, text: str) -> str:
        """``text`` with every secret of this connection made unreadable."""
        for secret in sorted(self._secrets(), key=len, reverse=True):
            text = text.replace(secret, _HIDDEN)
        return text

    def _secrets(self) -> set[str]:
        user = urlsplit(self.url).netloc.rpartition("@")[0]
        values = [self.token, self.cookies, self.other_client_secret, user, user.partition(":")[2]]
        cookies = (self.cookies or "").split(";")
        parts = [cookie.partition("=")[2].strip() for cookie in cookies]
        values += [part for part in parts if len(part) >= _SHORTEST]
        values += self._token_in_file()
        return {value for value in values if value}

    def _token_in_file(self) -> list[str]:
        try:
            return [Path(self.token_file).read_text().strip()] if self.token_file else []
        except OSError:
            return []
