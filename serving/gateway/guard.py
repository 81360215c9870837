"""Who may ask, and how often."""

from __future__ import annotations

import hashlib
import hmac
import os
import time
from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path

from headrace.components.shared.errors import ConfigError
from headrace.serving.gateway.config import Auth, Limits
from headrace.serving.gateway.errors import RateLimitedError, UnauthenticatedError

#: Clients whose budgets are remembered; the one that has not asked for longest is forgotten.
_CLIENTS = 10_000


class Guard:
    """Admits requests or raises."""

    def __init__(self, auth: Auth, limits: Limits) -> None:
        """Reads the tokens.

        Raises:
            ConfigError: their file or variable is missing or malformed.
        """
        self._tokens = _tokens(auth)
        self._rate, self._burst = limits.requests_per_second, float(limits.burst)
        #: Client to its remaining requests and the moment for which that holds.
        self._budgets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def admit(self, authorization: str | None, address: str) -> str:
        """The client's name: of its token, or its address where no tokens are asked for.

        Args:
            authorization: The header ``Authorization``.
            address: Where the request comes from.

        Raises:
            UnauthenticatedError: there is no token, or nobody has it.
            RateLimitedError: the client's budget is used up.
        """
        client = address if self._tokens is None else self._name(authorization)
        if self._rate:
            self._spend(client)
        return client

    def _name(self, authorization: str | None) -> str:
        kind, _, token = (authorization or "").partition(" ")
        digest = hashlib.sha256(token.strip().encode()).hexdigest()
        # All are compared, so that the time does not tell which one was close.
        names = [n for n, known in (self._tokens or []) if hmac.compare_digest(known, digest)]
        if kind.lower() != "bearer" or not names:
            raise UnauthenticatedError(
                "The request has no valid token.", fix="Send it as `Authorization: Bearer <token>`."
            )
        return names[0]

    def _spend(self, client: str) -> None:
        now = time.monotonic()
        left, since = self._budgets.pop(client, (self._burst, now))
        left = min(self._burst, left + (now - since) * self._rate)
        self._budgets[client] = (max(left - 1, 0.0) if left >= 1 else left, now)
        if len(self._budgets) > _CLIENTS:
            self._budgets.popitem(last=False)
        if left < 1:
            raise RateLimitedError(
                f"Client {client!r} asks more than {self._rate:g} times a second.",
                fix=f"Wait {(1 - left) / self._rate:.2f} seconds.",
            )


def _tokens(auth: Auth) -> list[tuple[str, str]] | None:
    if auth.tokens_from is not None:
        if not (text := os.environ.get(auth.tokens_from)):
            raise ConfigError(
                f"The environment variable {auth.tokens_from}, from which tokens come, is not set.",
                fix="Set it to lines `name sha256-of-token`, or remove auth.tokens_from.",
            )
        return list(_parsed(text.splitlines(), auth.tokens_from))
    if auth.tokens is not None:
        return list(_parsed(_lines(auth.tokens), str(auth.tokens)))
    return None


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise ConfigError(
            f"The file of tokens {path} cannot be read: {error.strerror}.",
            fix="Correct auth.tokens in gateway.yaml, or make the file.",
        ) from None


def _parsed(lines: Iterable[str], where: str) -> Iterable[tuple[str, str]]:
    for number, line in enumerate(lines, start=1):
        words = line.split("#")[0].split()
        if not words:
            continue
        if len(words) != 2 or len(words[1]) != 64:
            raise ConfigError(
                f"{where}, line {number} is not `name sha256-of-token`.",
                fix="Write the hash, not the token: printf %s TOKEN | sha256sum",
            )
        yield words[0], words[1].lower()
