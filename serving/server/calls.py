"""Requests as coroutines, so that one which waits for others holds no thread.

There is no event loop: the thread that ends the wait goes on with the request. A request that
never waits runs to its end in the thread that started it.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class Wait(Protocol):
    """What a coroutine yields when it has to wait."""

    def then(self, go_on: Callable[[], None]) -> None:
        """Calls ``go_on`` once the wait is over, in any thread; perhaps before it returns."""


def start(request: Coroutine[Wait, None, T]) -> Future[T]:
    """Runs a request until it waits for the first time, or to its end.

    Returns:
        Its answer or error. Whoever needs it at once asks for ``result()``.
    """
    answer: Future[T] = Future()
    _go_on(request, answer)
    return answer


def _go_on(request: Coroutine[Wait, Any, T], answer: Future[T]) -> None:
    try:
        wait = request.send(None)
    except StopIteration as end:
        answer.set_result(end.value)
    except BaseException as error:
        answer.set_exception(error)
        del answer  # the error's traceback would keep it, and with it itself
    else:
        wait.then(lambda: _go_on(request, answer))
