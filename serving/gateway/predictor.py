"""From rows to predictions; requests that come at the same time share one look-up and one call."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from headrace.serving.gateway.contract import Contract
from headrace.serving.gateway.errors import DeadlineError, ModelServerError, VersionGoneError
from headrace.serving.gateway.features import Columns, FeatureReading, Features
from headrace.serving.gateway.metrics import Metrics
from headrace.serving.gateway.model_server import ModelServer
from headrace.serving.gateway.tensors import Served, outputs_of, predict_request, serve_values

#: What fails for every request alike.
_SHARED = (VersionGoneError, ModelServerError, DeadlineError)
#: Rows that are sent to the model server in one call.
_BATCH_ROWS = 1024


@dataclass(slots=True)
class Batch:
    """Rows that were answered together.

    Attributes:
        contract: The version that answered.
        features: What was read.
        served: What the model got.
        outputs: Per output: one value per row, None for rejected rows.
    """

    contract: Contract
    features: Features
    served: Served
    outputs: dict[str, list[Any]]


@dataclass(slots=True)
class Answer:
    """A request's part of a batch: the rows from ``start`` to before ``end``."""

    batch: Batch
    start: int
    end: int


@dataclass(slots=True)
class _Waiting:
    contract: Contract
    columns: Columns
    rows: int
    answer: asyncio.Future[Answer]


class Predictor:
    """Answers for one model.

    What arrives while something else is computed is merged, without ever waiting for more to come:
    ten rows cost little more than one.
    """

    def __init__(
        self,
        server: ModelServer,
        reading: FeatureReading,
        metrics: Metrics,
        *,
        deadline: float,
        now: Callable[[], float],
    ) -> None:
        """Prepares.

        Args:
            server: Where the model runs.
            reading: Reads features.
            metrics: What is counted.
            deadline: Seconds for the model server's answer.
            now: The moment for which features are asked.
        """
        self._server = server
        self._reading = reading
        self._metrics = metrics
        self._deadline = deadline
        self._now = now
        self._waiting: list[_Waiting] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def predict(self, contract: Contract, columns: Columns, rows: int) -> Answer:
        """Predictions for rows.

        Raises:
            VersionGoneError: the model server no longer has the contract's version.
            HeadraceError: there is no prediction.
        """
        loop = asyncio.get_running_loop()
        waiting = _Waiting(contract, columns, rows, loop.create_future())
        if not self._waiting:
            loop.call_soon(self._start)
        self._waiting.append(waiting)
        return await waiting.answer

    def _start(self) -> None:
        """Begins with everything that waits, in batches of one contract."""
        waiting, self._waiting = self._waiting, []
        while waiting:
            first, members, rows = waiting[0], [], 0
            rest = []
            for item in waiting:
                fits = item is first or rows + item.rows <= _BATCH_ROWS
                if item.contract is first.contract and fits:
                    members.append(item)
                    rows += item.rows
                else:
                    rest.append(item)
            waiting = rest
            task = asyncio.create_task(self._answer(members))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _answer(self, members: Sequence[_Waiting]) -> None:
        try:
            batch = await self._batch(members)
        except Exception as error:
            if len(members) > 1 and not isinstance(error, _SHARED):
                # One request's odd values must not fail the others.
                await asyncio.gather(*(self._answer([item]) for item in members))
                return
            for item in members:
                if not item.answer.done():
                    item.answer.set_exception(error)
            return
        start = 0
        for item in members:
            if not item.answer.done():
                item.answer.set_result(Answer(batch, start, start + item.rows))
            start += item.rows

    async def _batch(self, members: Sequence[_Waiting]) -> Batch:
        contract = members[0].contract
        rows = sum(item.rows for item in members)
        columns = _joined([item.columns for item in members])
        start = time.perf_counter()
        if contract.service is None:
            features = Features(self._now(), columns, {})
        else:
            features = await self._reading.read(contract.service, columns, rows, self._now())
        read = time.perf_counter()
        served = serve_values(contract, features, rows)
        outputs = await self._outputs(contract, served, rows)
        self._metrics.batch(
            contract.model, rows, features, served, read - start, time.perf_counter() - read
        )
        return Batch(contract, features, served, outputs)

    async def _outputs(self, contract: Contract, served: Served, rows: int) -> dict[str, list[Any]]:
        empty: dict[str, list[Any]] = {name: [None] * rows for name in contract.signature.outputs}
        if len(served.rejected) == rows:
            return empty
        request = predict_request(contract, served, rows)
        found = outputs_of(await self._server.predict(request, self._deadline))
        if not served.rejected:
            return found
        kept = [row for row in range(rows) if row not in served.rejected]
        for name, values in found.items():
            for row, value in zip(kept, values, strict=True):
                empty[name][row] = value
        return empty


def _joined(parts: Sequence[Columns]) -> Columns:
    if len(parts) == 1:
        return parts[0]
    return {name: [value for part in parts for value in part[name]] for name in parts[0]}
