"""Requests as coroutines, so that one which waits for others holds no thread.

There is no event loop. A request runs in the thread that started it until it has to wait; the
thread that ends the wait goes on with it. What takes long, the model above all, runs where the one
who started the request wants it, so that a front end's thread can go on reading.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine, Generator
from concurrent.futures import Future
from typing import Generic, Protocol, TypeVar, cast

logger = logging.getLogger(__name__)

T = TypeVar("T")

#: Something that takes long, and ends by going on with requests.
Job = Callable[[], None]
#: Has a job run, now or later, in any thread.
Run = Callable[[Job], object]
#: Takes an answer, or an error.
Give = Callable[[T | None, Exception | None], None]


class Wait(Protocol):
    """What a coroutine yields when it has to wait."""

    def then(self, go_on: Callable[[], None], run: Run) -> None:
        """Calls ``go_on`` once the wait is over, in any thread; perhaps before it returns.

        A wait that needs a thread gives ``run`` a job.
        """


class Work(Generic[T]):
    """A function that takes long; a request awaits its result.

    Args:
        function: Is called once.
    """

    __slots__ = ("_error", "_function", "_result")

    def __init__(self, function: Callable[[], T]) -> None:
        self._function = function
        self._error: Exception | None = None

    def __await__(self) -> Generator[Wait, None, T]:
        yield self
        if self._error is not None:
            raise self._error
        return self._result

    def then(self, go_on: Callable[[], None], run: Run) -> None:
        """See ``Wait.then``."""

        def job() -> None:
            try:
                self._result = self._function()
            except Exception as error:
                self._error = error
            go_on()

        run(job)


def here(job: Job) -> None:
    """Runs a job at once, in this thread."""
    job()


def start(request: Coroutine[Wait, None, T], give: Give[T], run: Run = here) -> None:
    """Runs a request until it waits for the first time, or to its end.

    Args:
        request: The coroutine.
        give: Is called once, in the thread in which the request ends, with its answer or its error.
            What it raises is logged: others of the same batch still wait for their answers.
        run: Has its first job run. Later ones run in the thread that ended the wait before.
    """
    try:
        wait = request.send(None)
    except StopIteration as end:
        _hand_over(give, end.value, None)
    except Exception as error:
        _hand_over(give, None, error)
    else:
        wait.then(lambda: start(request, give), run)


def _hand_over(give: Give[T], answer: T | None, error: Exception | None) -> None:
    try:
        give(answer, error)
    except Exception:
        logger.exception("An answer could not be given")


def result(request: Coroutine[Wait, None, T]) -> T:
    """Runs a request to its end; its answer, or raises its error."""
    ended: Future[T] = Future()

    def give(answer: T | None, error: Exception | None) -> None:
        if error is None:
            ended.set_result(cast(T, answer))
        else:
            ended.set_exception(error)

    start(request, give)
    return ended.result()
