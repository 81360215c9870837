"""KFP's HTTP layer with time limits, retries and errors for people; KFP's own has none of them."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import kfp_server_api  # type: ignore[import-untyped]
import tenacity
import urllib3

from headrace.pipelines.cluster import errors
from headrace.pipelines.cluster.connection import Connection
from headrace.pipelines.cluster.errors import ClusterError

ATTEMPTS = 4
FIRST_WAIT, LONGEST_WAIT = 0.5, 8.0
_CONNECT_SECONDS = 10.0
_NO_CONNECTION = (urllib3.exceptions.ConnectTimeoutError, urllib3.exceptions.NewConnectionError)
#: Actions that leave the same state when they are done twice.
_REPEATABLE = re.compile(r":(terminate|enable|disable)$")


class Transport(kfp_server_api.rest.RESTClientObject):  # type: ignore[misc]
    """Sends the requests of the generated API classes."""

    def __init__(self, configuration: Any, connection: Connection) -> None:
        # Urllib3 would repeat without a pause and follow redirects to login pages.
        configuration.retries = False
        if connection.insecure:
            # Whoever asks for it need not be told with every request.
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        super().__init__(configuration)
        self._connection = connection

    def request(self, method: str, url: str, *arguments: Any, **options: Any) -> Any:
        """Sends one request, again when that is safe and may help.

        Raises:
            ClusterError: the server refused, failed, did not answer, or is not KFP.
        """
        limit = self._connection.timeout
        options["_request_timeout"] = (min(_CONNECT_SECONDS, limit), limit)
        send = super().request
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(_temporary),
            stop=tenacity.stop_after_attempt(ATTEMPTS if _repeatable(method, url) else 1),
            wait=tenacity.wait_exponential_jitter(FIRST_WAIT, LONGEST_WAIT, jitter=FIRST_WAIT),
            reraise=True,
        )
        return retrying(self._once, lambda: send(method, url, *arguments, **options), method, url)

    def _once(self, send: Callable[[], Any], method: str, url: str) -> Any:
        address = urlsplit(url)
        netloc = address.netloc.rpartition("@")[2]
        request = f"{method} {address._replace(netloc=netloc, query='').geturl()}"
        try:
            response = send()
        except kfp_server_api.ApiException as error:
            raise self._readable(_refusal(error, request)) from None
        except urllib3.exceptions.HTTPError as error:
            raise self._readable(self._unreachable(error, request, method)) from None
        if _is_foreign(response.data, url):
            raise self._readable(errors.not_an_api(response.data, request=request))
        return response

    def _unreachable(self, error: Exception, request: str, method: str) -> ClusterError:
        if isinstance(error, urllib3.exceptions.NameResolutionError):
            return ClusterError(
                f"{request}: this host name is not known.",
                fix="Correct --host or HEADRACE_KFP_HOST.",
            )
        if isinstance(error, _NO_CONNECTION):
            return ClusterError(
                f"{request}: no connection: {_reason(error)}",
                fix="Is the server up, and --host right? `kubectl port-forward` ends with its pod.",
            )
        if isinstance(error, urllib3.exceptions.ReadTimeoutError):
            return ClusterError(
                f"{request}: no answer within {self._connection.timeout:g} s.",
                fix=_after_silence(method) + "Allow more time with --timeout.",
            )
        return ClusterError(
            f"{request}: the connection broke: {_reason(error)}",
            fix=_after_silence(method) + "Try again.",
            temporary=True,
        )

    def _readable(self, error: ClusterError) -> ClusterError:
        """The same error without secrets: servers and proxies may repeat what they were sent."""
        hide = self._connection.without_secrets
        return ClusterError(
            hide(error.message),
            fix=hide(error.fix),
            status=error.status,
            temporary=error.temporary,
        )


def _temporary(error: BaseException) -> bool:
    return isinstance(error, ClusterError) and error.temporary


def _repeatable(method: str, url: str) -> bool:
    if _is_log(url):
        # The server fails with 500 for a pod that is gone, however often it is asked.
        return False
    return method in {"GET", "DELETE"} or bool(_REPEATABLE.search(urlsplit(url).path))


def _is_foreign(body: bytes, url: str) -> bool:
    """Whether an answer is none of KFP's: those are JSON objects, and logs are any text."""
    if _is_log(url):
        return errors.looks_like_page(body)
    return bool(body.strip()) and not body.lstrip().startswith(b"{")


def _is_log(url: str) -> bool:
    return urlsplit(url).path.endswith("/log")


def _refusal(error: Any, request: str) -> ClusterError:
    if not error.status:
        return _not_trusted(str(error.reason), request)
    if 300 <= error.status < 400:
        target = (error.headers or {}).get("Location", "")
        return errors.redirected(error.status, target, request=request)
    return errors.refused(error.status, error.body, request=request)


def _not_trusted(reason: str, request: str) -> ClusterError:
    return ClusterError(
        f"{request}: no trusted TLS connection: {' '.join(reason.split())}",
        fix="Name the certificates of your organisation with --ssl-ca-cert. "
        "If the server speaks plain HTTP, begin --host with http://. "
        "--insecure trusts any certificate: for a test only.",
    )


def _reason(error: Exception) -> str:
    """The last part of urllib3's nested messages, which names the cause."""
    return str(error).rpartition(": ")[2].rstrip("')>\"") or type(error).__name__


def _after_silence(method: str) -> str:
    return "" if method == "GET" else "It may have been done: look with `headrace remote list`. "
