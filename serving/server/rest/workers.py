"""Threads that answer requests, and the way of the answers back to the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from queue import SimpleQueue

from headrace.serving.server.rest.http_protocol import Request, Respond
from headrace.serving.server.rest.response import Response


@dataclass(slots=True)
class Pending:
    """A request that waits for its answer; belongs to the event loop.

    Attributes:
        request: What came.
        respond: Takes the answer.
        timer: Ends the wait.
        answered: Whether ``respond`` has been called; it is called once.
    """

    request: Request
    respond: Respond
    timer: asyncio.TimerHandle | None = None
    answered: bool = False

    def finish(self, response: Response) -> None:
        """Answers, unless the time was over."""
        if self.answered:
            return
        self.answered = True
        if self.timer is not None:
            self.timer.cancel()
        self.respond(response)


class Workers:
    """A pool of threads whose answers wake the event loop once for all that are ready.

    ``ThreadPoolExecutor`` and ``call_soon_threadsafe`` for each request cost more than the request.

    Args:
        loop: Where answers are given.
        threads: Requests answered at the same time.
        answer: Makes an answer; raises nothing.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, threads: int, answer: Callable[[Request], Response]
    ) -> None:
        self._loop = loop
        self._answer = answer
        self._waiting: SimpleQueue[Pending | None] = SimpleQueue()
        self._ready: deque[tuple[Pending, Response]] = deque()
        self._woken = self._ended = False
        self._threads = [
            threading.Thread(target=self._work, name=f"rest {number}", daemon=True)
            for number in range(threads)
        ]

    def start(self) -> None:
        """Begins to answer."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Leaves what has not been begun."""
        self._ended = True
        for _ in self._threads:
            self._waiting.put(None)

    def submit(self, pending: Pending) -> None:
        """Answers a request as soon as a thread is free."""
        self._waiting.put(pending)

    def _work(self) -> None:
        while (pending := self._waiting.get()) is not None and not self._ended:
            if pending.answered:  # too late: nobody waits any more
                continue
            self._ready.append((pending, self._answer(pending.request)))
            if not self._woken:
                self._woken = True
                with contextlib.suppress(RuntimeError):  # the loop has been closed meanwhile
                    self._loop.call_soon_threadsafe(self._give)

    def _give(self) -> None:
        self._woken = False  # first: an answer that comes while these are given wakes again
        while self._ready:
            pending, response = self._ready.popleft()
            pending.finish(response)
