"""HTTP with connections that are kept, retries where nothing is lost, and a deadline."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import httpx
import tenacity

from headrace.components.shared.errors import HeadraceError
from headrace.serving.gateway.errors import (
    DeadlineError,
    InvalidRequestError,
    ModelServerError,
    PredictionError,
    RateLimitedError,
    TooLargeError,
    UnauthenticatedError,
    UnknownModelError,
)

_ATTEMPTS = 3
#: Asking again is safe, because predictions change nothing; a time-out is not asked again.
_AGAIN = (httpx.ConnectError, httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError)
_ERRORS: Mapping[int, tuple[type[HeadraceError], str]] = {
    400: (InvalidRequestError, "Compare names, types and shapes with what the model takes."),
    401: (UnauthenticatedError, "Give a token."),
    403: (UnauthenticatedError, "Give another token."),
    404: (UnknownModelError, "Check model and version."),
    413: (TooLargeError, "Send fewer rows."),
    422: (InvalidRequestError, "Compare names, types and shapes with what the model takes."),
    429: (RateLimitedError, "Ask less often."),
    503: (ModelServerError, "Try again in a second."),
    504: (DeadlineError, "Send fewer rows, or allow more time."),
}


class Http:
    """One server; safe from many threads."""

    def __init__(self, url: str, *, deadline: float, token: str | None = None) -> None:
        """Prepares.

        Args:
            url: Such as ``http://localhost:8501``.
            deadline: Seconds for each call; a retry never starts after it, and no attempt waits
                longer than what is left for a connection or for the next byte.
            token: Bearer token.
        """
        self.url = url.rstrip("/")
        self._deadline = deadline
        headers = {"authorization": f"Bearer {token}"} if token else {}
        self._client = httpx.Client(base_url=self.url, headers=headers)

    def close(self) -> None:
        """Closes the connections."""
        self._client.close()

    def ask(self, method: str, path: str, body: bytes | None = None) -> httpx.Response:
        """Sends a request; the answer may be any that the server meant.

        Raises:
            HeadraceError: there is no answer, or it is an error.
        """
        end = time.monotonic() + self._deadline
        retrying = tenacity.Retrying(
            stop=tenacity.stop_after_attempt(_ATTEMPTS)
            | tenacity.stop_before_delay(self._deadline),
            wait=tenacity.wait_random_exponential(0.05, max=0.5),
            retry=tenacity.retry_if_exception_type(_AGAIN) | tenacity.retry_if_result(_is_away),
            retry_error_callback=_last,
        )
        headers = {"content-type": "application/json"} if body is not None else {}

        def once() -> httpx.Response:
            left = max(end - time.monotonic(), 0.001)
            return self._client.request(method, path, content=body, headers=headers, timeout=left)

        try:
            answer: httpx.Response = retrying(once)
        except httpx.TimeoutException:
            raise DeadlineError(
                f"{self.url} did not answer within {self._deadline:g} seconds.",
                fix="Send fewer rows, or allow more time.",
            ) from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise ModelServerError(
                f"{self.url} does not answer: {error}",
                fix="Check the address, and that it speaks HTTP; gRPC has another port.",
            ) from None
        if answer.is_error:
            raise self._explained(answer)
        return answer

    def _explained(self, answer: httpx.Response) -> HeadraceError:
        kind, fix = _ERRORS.get(answer.status_code, (PredictionError, "Its log may say more."))
        try:
            said: dict[str, Any] = answer.json()
            text, fix = said["error"], said.get("fix") or fix
        except (ValueError, KeyError, TypeError):
            text = answer.text.strip().partition("\n")[0][:300] or answer.reason_phrase
        return kind(f"{self.url} answers {answer.status_code}: {text}", fix=fix)


def _is_away(answer: httpx.Response) -> bool:
    return answer.status_code == httpx.codes.SERVICE_UNAVAILABLE


def _last(state: tenacity.RetryCallState) -> Any:
    """What the last attempt gave, instead of an error about retrying."""
    assert state.outcome is not None
    return state.outcome.result()
