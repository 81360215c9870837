"""What a server's refusals and broken connections mean for the person at the command line."""

from __future__ import annotations

import html
import json
import re
from typing import Any

from headrace.components.shared.errors import HeadraceError

_LONGEST = 400


class ClusterError(HeadraceError):
    """A Kubeflow Pipelines server refused, failed or did not answer.

    Attributes:
        status: The HTTP status of its answer; None when there was none.
        temporary: Whether the same request may succeed a moment later.
    """

    http_status = 502

    def __init__(
        self, message: str, *, fix: str, status: int | None = None, temporary: bool = False
    ) -> None:
        super().__init__(message, fix=fix)
        self.status = status
        self.temporary = temporary


_CREDENTIALS = (
    "Give valid credentials: --token, --token-file, --cookies or --client-id, or their environment "
    "variables HEADRACE_KFP_TOKEN, …_TOKEN_FILE, …_COOKIES, …_CLIENT_ID."
)
_FIXES = {
    400: "Correct what the answer names.",
    401: _CREDENTIALS,
    403: "Ask for access to the namespace, or name yours with --namespace. " + _CREDENTIALS,
    404: "Check the name or id. If nothing is found at all, --host is not the address of the API: "
    "it often ends in /pipeline.",
    409: "Choose another name, or remove what has it.",
    413: "The pipeline with its arguments is too large for the server or a proxy before it.",
}
_SERVER_FAILS = (
    "Try again later. The server's log says more: "
    "`kubectl logs -n kubeflow deployment/ml-pipeline`."
)
_PHRASES = {
    401: "does not accept the credentials",
    403: "does not allow it",
    404: "does not find it",
    409: "says that it exists already",
    429: "is asked too often",
}


def refused(status: int, body: Any, *, request: str) -> ClusterError:
    """The error for an answer with ``status``.

    Args:
        status: HTTP status.
        body: What was answered.
        request: Method and URL.
    """
    phrase = _PHRASES.get(status, "fails" if status >= 500 else "refuses")
    said = answer_text(body)
    return ClusterError(
        f"The server {phrase}: {request} was answered with {status}"
        + (f": {said}" if said else "."),
        fix=_FIXES.get(status, _SERVER_FAILS if status >= 429 else _FIXES[400]),
        status=status,
        temporary=status == 429 or status >= 500,
    )


def redirected(status: int, target: str, *, request: str) -> ClusterError:
    """The error for an answer that sends the reader elsewhere, usually to a login page."""
    # What follows the question mark may be the state of a login.
    place = target.partition("?")[0] or "nowhere"
    return ClusterError(
        f"{request} was answered with {status}, a redirect to {place}.",
        fix="If that is a login page: " + _CREDENTIALS + " Otherwise make it the --host.",
        status=status,
    )


def not_an_api(body: bytes, *, request: str) -> ClusterError:
    """The error for a page or a text where JSON was expected."""
    kind = "a web page" if looks_like_page(body) else "a text"
    return ClusterError(
        f"{request} was answered with {kind} instead of JSON: {answer_text(body)}",
        fix="If it is a login page: "
        + _CREDENTIALS
        + " Otherwise --host is not the address of the API: it often ends in /pipeline.",
        status=200,
    )


def answer_text(body: Any) -> str:
    """The part of an answer that people can read, in one line."""
    text = body.decode("utf-8", errors="replace") if isinstance(body, bytes) else str(body or "")
    if looks_like_page(text):
        title = re.search(r"<title[^>]*>(.*?)</title>", text, re.IGNORECASE | re.DOTALL)
        text = f"“{html.unescape(title[1])}”" if title else "a page without a title"
    else:
        text = _message(text)
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"{line[:_LONGEST]} …"


def looks_like_page(body: str | bytes) -> bool:
    """Whether an answer is HTML."""
    start = body[:500].lstrip().lower()
    page = ("<!doctype html", "<html")
    return (
        start.startswith(page)
        if isinstance(start, str)
        else start.startswith(tuple(mark.encode() for mark in page))
    )


def _message(text: str) -> str:
    try:
        values = json.loads(text)
    except ValueError:
        return text
    if not isinstance(values, dict):
        return text
    keys = ("message", "error_message", "error")
    return next((str(values[key]) for key in keys if values.get(key)), text)
