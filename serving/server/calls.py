"""Requests as coroutines, so that one which waits for others holds no thread.

There is no event loop. A request runs in the thread that started it until it has to wait; the
thread that ends the wait goes on with it. What takes long, the model above all, runs where the one
who started the request wants it, so that a front end's thread can go on reading.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator
from concurrent.futures import Future
from typing import Any, Generic, Protocol, TypeVar

T = TypeVar("T")

#: Something that takes long, and ends by going on with requests.
Job = Callable[[], None]
#: Has a job run, now or later, in any thread.
Run = Callable[[Job], object]


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


def start(request: Coroutine[Wait, None, T], run: Run = here) -> Future[T]:
    """Runs a request until it waits for the first time, or to its end.

    Args:
        request: The coroutine.
        run: Has its first job run. Later ones run in the thread that ended the wait before.

    Returns:
        Its answer or error. Whoever needs it at once asks for ``result()``.
    """
    answer: Future[T] = Future()
    _go_on(request, answer, run)
    return answer


def _go_on(request: Coroutine[Wait, Any, T], answer: Future[T], run: Run) -> None:
    try:
        wait = request.send(None)
    except StopIteration as end:
        answer.set_result(end.value)
    except BaseException as error:
        answer.set_exception(error)
        del answer  # the error's traceback would keep it, and with it itself
    else:
        wait.then(lambda: _go_on(request, answer, here), run)
