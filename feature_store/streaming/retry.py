"""Waiting for what comes back by itself, visibly, and until someone wants to stop."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import tenacity

_LOG = logging.getLogger(__name__)
_FIRST_SECONDS, _LONGEST_SECONDS = 0.05, 2.0

P = ParamSpec("P")
T = TypeVar("T")


class Stopped(Exception):
    """Someone asked to stop while a call waited for its turn."""


class Patience:
    """Repeats calls that fail for a while.

    Attributes:
        stop: Set when nothing more is to be started.
        waits: How often a call had to be repeated.
    """

    def __init__(self, stop: threading.Event) -> None:
        self.stop = stop
        self.waits = 0

    def call(
        self,
        what: str,
        transient: tuple[type[Exception], ...],
        function: Callable[P, T],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Calls a function until it succeeds.

        Args:
            what: What is being done, for the log.
            transient: Errors after which to try again; others are raised.
            function: What to call.
            *args: Its arguments.
            **kwargs: Its arguments.

        Raises:
            Stopped: it failed, and the stop was set.
        """

        def wait(state: tenacity.RetryCallState) -> None:
            self.waits += 1
            error = state.outcome.exception() if state.outcome else None
            _LOG.warning(
                "%s failed (%s); attempt %d in %.2f s",
                what,
                str(error).splitlines()[0] if str(error) else type(error).__name__,
                state.attempt_number + 1,
                state.upcoming_sleep,
            )

        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(transient),
            wait=tenacity.wait_exponential(_FIRST_SECONDS, max=_LONGEST_SECONDS),
            stop=tenacity.stop_when_event_set(self.stop),
            sleep=tenacity.sleep_using_event(self.stop),
            before_sleep=wait,
        )
        try:
            return retrying(function, *args, **kwargs)
        except tenacity.RetryError as error:
            raise Stopped(what) from error.last_attempt.exception()
