"""The gateway's work: a request's body in, a prediction or an error out; HTTP is elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable

from headrace.components.shared.errors import HeadraceError
from headrace.components.shared.text import nearest
from headrace.serving.audit.trail import Trail
from headrace.serving.gateway.answers import check_rejected, render
from headrace.serving.gateway.config import GatewayConfig
from headrace.serving.gateway.contract import Contract
from headrace.serving.gateway.errors import (
    DeadlineError,
    NotReadyError,
    UnknownModelError,
    VersionGoneError,
)
from headrace.serving.gateway.features import FeatureReading
from headrace.serving.gateway.guard import Guard
from headrace.serving.gateway.metrics import Metrics
from headrace.serving.gateway.predictor import Answer, Predictor
from headrace.serving.gateway.versions import Versions
from headrace.serving.prediction_log.layout import Record
from headrace.serving.prediction_log.writer import PredictionLog

_LOGGER = logging.getLogger(__name__)


class Gateway:
    """Answers for all models of ``gateway.yaml``.

    Attributes:
        config: The configuration.
        guard: Who may ask.
        metrics: What is counted.
        models: The versions of each model; empty until the gateway runs.
    """

    def __init__(self, config: GatewayConfig, *, now: Callable[[], float] = time.time) -> None:
        """Prepares; :meth:`running` connects.

        Args:
            config: ``gateway.yaml``.
            now: The moment for which features are asked, in seconds since 1970.

        Raises:
            ConfigError: tokens or keys that it asks for are not there.
        """
        self.config = config
        self.guard = Guard(config.auth, config.limits)
        self._log = PredictionLog(config.predictions) if config.predictions.folder else None
        self.metrics = Metrics(self._log)
        self.models: dict[str, Versions] = {}
        self._now = now
        self._reading = FeatureReading()
        self._predictors: dict[str, Predictor] = {}

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Follows the models' versions and writes the log, until the end of the block."""
        trail = Trail(self.config.audit) if self.config.audit else None
        limits = self.config.limits
        for name, settings in self.config.models.items():
            versions = Versions(name, settings, limits, now=self._now, trail=trail)
            self.models[name] = versions
            self._predictors[name] = Predictor(
                versions.server,
                self._reading,
                self.metrics,
                deadline=limits.deadline_seconds,
                now=self._now,
            )
        if self._log:
            self._log.start()
        await asyncio.gather(*(versions.start() for versions in self.models.values()))
        try:
            yield
        finally:
            await asyncio.gather(*(versions.stop() for versions in self.models.values()))
            self._reading.close()
            if self._log:
                await asyncio.to_thread(self._log.stop)

    async def predict(self, model: str, body: bytes, *, request_id: str, client: str) -> bytes:
        """Answers one request.

        Args:
            model: The model's name.
            body: The request, as JSON.
            request_id: Its id, for the answer and the log.
            client: Who asks.

        Returns:
            The answer, as JSON.

        Raises:
            HeadraceError: there is no prediction.
        """
        deadline = self.config.limits.deadline_seconds
        async with _within(deadline):
            contract = await self.versions(model).contract()
        columns, rows = contract.form.parse(body)
        record = Record(request_id, client, time.time(), self._now(), contract, columns, rows)
        start = time.perf_counter()
        try:
            async with _within(deadline):
                record.answer = await self._answer(record, body)
            check_rejected(record.answer)
            return render(request_id, record.answer)
        except HeadraceError as error:
            record.error = error.message
            raise
        finally:
            record.seconds = time.perf_counter() - start
            if self._log:
                self._log.add(record)

    async def _answer(self, record: Record, body: bytes) -> Answer:
        model = record.contract.model
        predictor = self._predictors[model]
        try:
            return await predictor.predict(record.contract, record.columns, record.rows)
        except VersionGoneError:
            # The model server has just switched: model and features change together.
            record.contract = await self._next(self.models[model], record.contract)
            record.columns, record.rows = record.contract.form.parse(body)
            return await predictor.predict(record.contract, record.columns, record.rows)

    def metrics_text(self) -> bytes:
        """Counters in Prometheus's text format; version 0 means that none can answer."""
        for name, versions in self.models.items():
            contract = versions.answering
            version, changed = (contract.version, contract.changed) if contract else (0, False)
            self.metrics.version(name, version, changed)
        return self.metrics.text()

    def versions(self, model: str) -> Versions:
        """The versions of a model.

        Raises:
            UnknownModelError: it is not in ``gateway.yaml``.
        """
        if model not in self.models:
            raise UnknownModelError(
                f"This gateway serves no model {model!r}.", fix=nearest(model, self.models)
            )
        return self.models[model]

    async def _next(self, versions: Versions, gone: Contract) -> Contract:
        if versions.answering is gone:
            await versions.refresh()
        contract = await versions.contract()
        if contract is gone:
            raise NotReadyError(
                f"The model server no longer has version {gone.version} of {gone.model!r}, and no "
                "other one is available.",
                fix="Try again in a second.",
            )
        return contract


@contextlib.asynccontextmanager
async def _within(seconds: float) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError:
        raise DeadlineError(
            f"There was no prediction within {seconds:g} seconds.",
            fix="Ask for fewer rows, or raise limits.deadline_seconds in gateway.yaml.",
        ) from None
