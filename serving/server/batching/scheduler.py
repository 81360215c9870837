"""Queue-drain batching without threads of its own.

A request that finds a free slot runs at once, in its own thread, and takes along whatever is
waiting. The others wait; when a batch is done, its thread hands the slot to the oldest request
that waits. So a lone request costs no change of thread, and batches grow with the load. A batch
waits for more requests only when ``batch_timeout_micros`` says so.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from headrace.serving.server.batching import merge
from headrace.serving.server.batching.parameters import BatchingParameters
from headrace.serving.server.errors import Code, ServingError
from headrace.serving.server.seam import Array

Run = Callable[[Sequence[Array]], list[Array]]


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
        self._free = parameters.num_batch_threads
        self._waiting: deque[_Queue] = deque()

    def wrap(self, run: Run, names: Sequence[str], dtypes: Sequence[np.dtype[Any]]) -> Run:
        """The same function, merging calls that wait at the same time.

        Args:
            run: Takes one value per input, rows first.
            names: The inputs, for error texts.
            dtypes: Their types; values of another type are not merged.
        """
        return _Queue(self, run, names, dtypes).run

    def claim(self) -> bool:
        """Takes a free slot, if there is one; needs the lock."""
        if not self._free:
            return False
        self._free -= 1
        return True

    def wait(self, queue: _Queue) -> None:
        """Requests of this queue wait for a slot; needs the lock."""
        if self.claim():
            queue.promote()
        elif queue not in self._waiting:
            self._waiting.append(queue)

    def release(self) -> None:
        """A batch is done: its slot goes to the next queue that waits; needs the lock."""
        while self._waiting:
            queue = self._waiting.popleft()
            if queue.pending:  # another batch may have taken them along
                queue.promote()
                return
        self._free += 1


class _Task:
    """One request, or a piece of one, on its way through a queue."""

    __slots__ = ("_woken", "arrived", "error", "leads", "result", "rows", "values")

    def __init__(self, values: Sequence[Array]) -> None:
        self.values = values
        self.rows: int = values[0].shape[0]
        self.arrived = time.monotonic()
        self.leads = False
        self.result: list[Array] = []
        self.error: ServingError | None = None
        # A bare lock: an event costs more than many a model.
        self._woken = threading.Lock()
        self._woken.acquire()

    def wait(self) -> None:
        """Waits until the request is answered, or is to lead a batch."""
        self._woken.acquire()

    def wake(self) -> None:
        """Ends the wait."""
        self._woken.release()


class _Queue:
    """The requests to one function that wait for a slot."""

    def __init__(
        self, batcher: Batcher, run: Run, names: Sequence[str], dtypes: Sequence[np.dtype[Any]]
    ) -> None:
        self.pending: deque[_Task] = deque()
        self.filled = threading.Condition(batcher.lock)
        self.gathers = False
        self._rows = 0
        self._batcher = batcher
        self._run = run
        self._names = names
        self._dtypes = list(dtypes)

    def run(self, values: Sequence[Array]) -> list[Array]:
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
            return self._run(values)
        limit = parameters.execution_size
        if rows <= limit:
            return self._submit(values)
        pieces = [
            self._submit([value[start : start + limit] for value in values])
            for start in range(0, rows, limit)
        ]
        return [np.concatenate(parts) for parts in zip(*pieces, strict=True)]

    def promote(self) -> None:
        """Makes the oldest request lead a batch; needs the lock."""
        task = self._take()
        task.leads = True
        task.wake()

    def _submit(self, values: Sequence[Array]) -> list[Array]:
        task = _Task(values)
        with self._batcher.lock:
            if self.gathers or not self._batcher.claim():
                self._enqueue(task)
            else:
                task.leads = True
        if not task.leads:
            task.wait()
        if task.leads:
            self._lead(task)
        if task.error is not None:
            raise ServingError(task.error.code, task.error.message)
        return task.result

    def _enqueue(self, task: _Task) -> None:
        parameters = self._batcher.parameters
        if self._rows + task.rows > parameters.execution_size * parameters.max_enqueued_batches:
            raise ServingError(
                Code.UNAVAILABLE,
                "The batch scheduling queue to which this task was submitted is full",
            )
        self.pending.append(task)
        self._rows += task.rows
        if self.gathers:
            self.filled.notify()
        else:
            self._batcher.wait(self)

    def _take(self) -> _Task:
        task = self.pending.popleft()
        self._rows -= task.rows
        return task

    def _lead(self, task: _Task) -> None:
        batch = [task]
        try:
            with self._batcher.lock:
                self._gather(batch)
            self._execute(batch)
        finally:
            with self._batcher.lock:
                self._batcher.release()
            for member in batch[1:]:
                member.wake()

    def _gather(self, batch: list[_Task]) -> None:
        """Takes along what fits, waiting for more only when asked to; needs the lock."""
        parameters = self._batcher.parameters
        room = parameters.execution_size - batch[0].rows
        deadline = batch[0].arrived + parameters.batch_timeout_micros / 1e6
        if not self.gathers:  # one at a time: two would share what there is
            self.gathers = True
            while self._rows < room and (left := deadline - time.monotonic()) > 0:
                self.filled.wait(left)
            self.gathers = False
        while self.pending and self.pending[0].rows <= room:
            room -= self.pending[0].rows
            batch.append(self._take())
        if self.pending:
            self._batcher.wait(self)

    def _execute(self, batch: list[_Task]) -> None:
        now = time.monotonic()
        self._batcher.observe([now - task.arrived for task in batch])
        sizes = [task.rows for task in batch]
        try:
            merged = merge.merge(
                [task.values for task in batch], self._names, self._batcher.parameters
            )
            results = merge.split(self._run(merged), sizes, merged[0].shape[0])
        except ServingError as error:
            for task in batch:
                task.error = error
        except BaseException:
            for task in batch:
                task.error = ServingError(Code.INTERNAL, "The batch failed.")
            raise
        else:
            for task, result in zip(batch, results, strict=True):
                task.result = result
