"""Queue-drain batching without threads of its own.

A request joins the queue of its function and waits there as a coroutine, without a thread. If a
slot is free, whoever brought it has a thread run what is queued: one batch after the other, and the
answers of each. So batches grow with the load, and no thread is woken for a request that joins
others, or for an answer. A batch waits for more requests only when ``batch_timeout_micros`` says
so.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Coroutine, Generator, Sequence
from typing import Any

import numpy as np

from headrace.serving.server import calls
from headrace.serving.server.batching import merge
from headrace.serving.server.batching.parameters import BatchingParameters
from headrace.serving.server.errors import Code, ServingError
from headrace.serving.server.seam import Array

logger = logging.getLogger(__name__)

Run = Callable[[Sequence[Array]], list[Array]]
#: The same for a request that may have to wait for others.
BatchedRun = Callable[[Sequence[Array]], Coroutine[calls.Wait, None, list[Array]]]


class Batcher:
    """The slots that all models share: as many batches run side by side.

    Args:
        parameters: How requests are merged.
        observe: Is told how long the requests of a batch had waited, in seconds.
    """

    def __init__(
        self,
        parameters: BatchingParameters,
        observe: Callable[[Sequence[float]], None] = lambda waited: None,
    ) -> None:
        self.parameters = parameters
        self.observe = observe
        self.lock = threading.Lock()
        self.free = parameters.num_batch_threads
        self._waiting: deque[_Queue] = deque()

    def wrap(self, run: Run, names: Sequence[str], dtypes: Sequence[np.dtype[Any]]) -> BatchedRun:
        """The same function, merging calls that wait at the same time.

        Args:
            run: Takes one value per input, rows first.
            names: The inputs, for error texts.
            dtypes: Their types; values of another type are not merged.
        """
        return _Queue(self, run, names, dtypes).run

    def wait(self, queue: _Queue) -> None:
        """Requests of this queue wait for a slot; needs the lock."""
        if queue not in self._waiting:
            self._waiting.append(queue)

    def work(self) -> None:
        """Runs what waits, for as long as something does, if there is a free slot."""
        with self.lock:
            if not self.free:
                return
            self.free -= 1
            step = self._next()
        while step is not None:
            queue, batch = step
            queue.execute(batch)
            with self.lock:
                step = self._next()

    def _next(self) -> tuple[_Queue, list[_Task]] | None:
        """A batch of the queue that waits longest; None, and the slot is free, without one.

        Needs the lock.
        """
        while self._waiting:
            queue = self._waiting.popleft()
            if queue.pending:  # another batch may have taken them along
                return queue, queue.gather()
        self.free += 1
        return None


class _Task:
    """One request, or a piece of one, on its way through a queue."""

    __slots__ = ("_go_on", "_queue", "arrived", "error", "result", "rows", "values")

    def __init__(self, queue: _Queue, values: Sequence[Array]) -> None:
        self.values = values
        self.rows: int = values[0].shape[0]
        self.arrived = time.monotonic()
        self.result: list[Array] = []
        self.error: ServingError | None = None
        self._queue = queue

    def __await__(self) -> Generator[calls.Wait, None, list[Array]]:
        yield self
        return self.outcome()

    def outcome(self) -> list[Array]:
        """The result, when there is one; raises the error otherwise."""
        if self.error is not None:  # one each: raising an error changes it
            raise ServingError(self.error.code, self.error.message)
        return self.result

    def then(self, go_on: Callable[[], None], run: calls.Run) -> None:
        """See ``calls.Wait.then``."""
        self._go_on = go_on
        self._queue.submit(self, run)

    def end(self) -> None:
        """Goes on with the request: it has its result or error."""
        self._go_on()


class _Pieces:
    """A request that is larger than a batch, as several tasks."""

    def __init__(self, tasks: Sequence[_Task]) -> None:
        self._tasks = tasks
        self._left = len(tasks)
        self._lock = threading.Lock()

    def __await__(self) -> Generator[calls.Wait, None, list[Array]]:
        yield self
        outcomes = [task.outcome() for task in self._tasks]
        return [np.concatenate(parts) for parts in zip(*outcomes, strict=True)]

    def then(self, go_on: Callable[[], None], run: calls.Run) -> None:
        """See ``calls.Wait.then``."""

        def one_ended() -> None:
            with self._lock:
                self._left -= 1
                last = not self._left
            if last:
                go_on()

        for task in self._tasks:
            task.then(one_ended, run)


class _Queue:
    """The requests to one function that wait for a slot."""

    def __init__(
        self, batcher: Batcher, run: Run, names: Sequence[str], dtypes: Sequence[np.dtype[Any]]
    ) -> None:
        self.pending: deque[_Task] = deque()
        self._filled = threading.Condition(batcher.lock)
        self._gathers = False
        self._rows = 0
        self._batcher = batcher
        self._run = run
        self._names = names
        self._dtypes = list(dtypes)

    async def run(self, values: Sequence[Array]) -> list[Array]:
        """Runs one request, in a batch of its own or with others."""
        parameters = self._batcher.parameters
        rows = merge.rows_of(values)
        if rows > parameters.max_batch_size:
            raise ServingError(
                Code.INVALID_ARGUMENT,
                f"Task size {rows} is larger than maximum input batch size "
                f"{parameters.max_batch_size}",
            )
        if rows == 0 or [value.dtype for value in values] != self._dtypes:
            return await calls.Work(lambda: self._run(values))
        limit = parameters.execution_size
        if rows <= limit:
            return await _Task(self, values)
        return await _Pieces(
            [
                _Task(self, [value[first : first + limit] for value in values])
                for first in range(0, rows, limit)
            ]
        )

    def gather(self) -> list[_Task]:
        """Takes what fits into a batch, waiting for more only when asked to; needs the lock."""
        parameters = self._batcher.parameters
        if parameters.batch_timeout_micros:
            self._fill(parameters)
        batch: list[_Task] = []
        room = parameters.execution_size
        while self.pending and self.pending[0].rows <= room:
            batch.append(self.pending.popleft())
            room -= batch[-1].rows
        self._rows -= parameters.execution_size - room
        if self.pending:
            self._batcher.wait(self)
        return batch

    def _fill(self, parameters: BatchingParameters) -> None:
        """Waits for requests until a batch is full, or its first has waited long enough."""
        deadline = self.pending[0].arrived + parameters.batch_timeout_micros / 1e6
        self._gathers = True
        while self._rows < parameters.execution_size and (left := deadline - time.monotonic()) > 0:
            self._filled.wait(left)
        self._gathers = False

    def execute(self, batch: list[_Task]) -> None:
        """Runs a batch, and goes on with its requests."""
        now = time.monotonic()
        sizes = [task.rows for task in batch]
        try:
            merged = merge.merge(
                [task.values for task in batch], self._names, self._batcher.parameters
            )
            results = merge.split(self._run(merged), sizes, merged[0].shape[0])
        except ServingError as error:
            for task in batch:
                task.error = error
        except Exception:
            logger.exception("A batch failed in an unforeseen way")
            for task in batch:
                task.error = ServingError(Code.INTERNAL, "The batch failed.")
        else:
            for task, result in zip(batch, results, strict=True):
                task.result = result
        for task in batch:
            task.end()
        self._batcher.observe([now - task.arrived for task in batch])

    def submit(self, task: _Task, run: calls.Run) -> None:
        """Queues a request, and has ``run`` see to what is queued if there is a free slot."""
        with self._batcher.lock:
            full = not self._enqueue(task)
            free = self._batcher.free
        if full:
            task.error = ServingError(
                Code.UNAVAILABLE,
                "The batch scheduling queue to which this task was submitted is full",
            )
            task.end()
        elif free:
            run(self._batcher.work)

    def _enqueue(self, task: _Task) -> bool:
        parameters = self._batcher.parameters
        if self._rows + task.rows > parameters.execution_size * parameters.max_enqueued_batches:
            return False
        self.pending.append(task)
        self._rows += task.rows
        if self._gathers:
            self._filled.notify()
        else:
            self._batcher.wait(self)
        return True
