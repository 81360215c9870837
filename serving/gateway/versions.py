"""Which version answers now: follows the model server, and switches model and features as one."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import socket
from collections.abc import Callable

from headrace.components.shared.errors import HeadraceError
from headrace.serving.audit.history import pusher
from headrace.serving.audit.trail import Event, Trail
from headrace.serving.gateway.config import Limits, Model
from headrace.serving.gateway.contract import Contract, ContractMaker
from headrace.serving.gateway.errors import ModelServerError, NotReadyError, PredictionError
from headrace.serving.gateway.model_server import ModelServer
from headrace.serving.gateway.tensors import probe_request

_LOGGER = logging.getLogger(__name__)
#: How long the first call of a version may take.
_WARM_UP_SECONDS = 120.0
_ACTOR = f"gateway {socket.gethostname()}:{os.getpid()}"


class Versions:
    """The versions of one model, as far as the gateway can answer with them.

    A version counts from the moment at which its manifest is read and its features can be read:
    until then the one before answers, as long as the model server keeps it.
    """

    def __init__(
        self,
        name: str,
        settings: Model,
        limits: Limits,
        *,
        now: Callable[[], float],
        trail: Trail | None,
    ) -> None:
        """Prepares; :meth:`start` begins to look.

        Args:
            name: The model's name.
            settings: Its part of ``gateway.yaml``.
            limits: For requests.
            now: The moment for which features are asked.
            trail: Where changes are recorded.
        """
        self.name = name
        self.server = ModelServer(settings.server)
        self._settings = settings
        self._deadline = limits.deadline_seconds
        self._maker = ContractMaker(name, settings, limits, now=now)
        self._trail = trail
        self._contract: Contract | None = None
        self._states: dict[int, str] = {}
        self._recorded: int | None = None
        self._trouble: HeadraceError | None = None
        self._lock = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None

    async def contract(self) -> Contract:
        """The version that answers, with its features; waits while one is being prepared.

        Raises:
            NotReadyError: there is none.
        """
        if self._contract is None and self._lock.locked():
            async with self._lock:
                pass
        if self._contract is not None:
            return self._contract
        trouble = self._trouble
        raise NotReadyError(
            f"Model {self.name!r} cannot answer yet: "
            + (trouble.message if trouble else "the model server was not asked yet."),
            fix=trouble.fix if trouble else "Try again in a second.",
        )

    @property
    def answering(self) -> Contract | None:
        """The version that answers now, if there is one."""
        return self._contract

    @property
    def trouble(self) -> HeadraceError | None:
        """What went wrong the last time the model server was asked."""
        return self._trouble

    async def start(self) -> None:
        """Looks once, and from then on regularly."""
        await self.refresh()
        self._task = asyncio.create_task(self._follow())

    async def stop(self) -> None:
        """Ends looking, and closes connections."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
        if self._recorded is not None:
            await self._record("stopped", self._recorded)
        await self.server.close()
        self._maker.close()

    async def refresh(self) -> None:
        """Asks the model server for its versions, and switches to the newest that is available."""
        async with self._lock:
            try:
                states = await self.server.states(self.name, self._deadline)
                await self._observe(states)
                await self._switch([v for v, state in states.items() if state == "AVAILABLE"])
                self._trouble_is(None)
            except HeadraceError as error:
                self._trouble_is(error)
                if isinstance(error, ModelServerError) and self._recorded is not None:
                    await self._record("unreachable", self._recorded)
                    self._recorded, self._states = None, {}

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(self._settings.poll_seconds)
            try:
                await self.refresh()
            except Exception:  # the next look may succeed, and without any there is no switch
                _LOGGER.exception("looking for versions of %s failed", self.name)

    async def _switch(self, available: list[int]) -> None:
        current = self._contract.version if self._contract else None
        if not available:
            self._contract = None
            if self._recorded is not None:
                await self._record("stopped", self._recorded)
                self._recorded = None
            raise NotReadyError(
                f"the model server at {self.server.address} has no available version of it.",
                fix="Push a version, or wait until it is loaded.",
            )
        newest = max(available)
        if newest != current:
            if current not in available:
                self._contract = None  # whatever comes, it cannot answer any more
            await self._take(newest)
        if newest != self._recorded:
            self._recorded = newest
            await self._record("answering", newest, detail={"server": self.server.address})

    async def _take(self, version: int) -> None:
        name = self._settings.signature
        signature = await self.server.signature(self.name, version, name, self._deadline)
        contract = await asyncio.to_thread(self._maker.make, version, signature)
        await self._warm_up(contract)
        self._contract = contract
        _LOGGER.info("%s is answered by version %d", self.name, version)
        if contract.changed:
            _LOGGER.warning(
                "the feature repository has changed since version %d of %s was trained",
                version,
                self.name,
            )
        await self._record(
            "pushed",
            version,
            at=str(contract.manifest.get("pushed_at", "")),
            actor=pusher(contract.manifest.get("pushed_by")),
        )

    async def _warm_up(self, contract: Contract) -> None:
        """Asks once, without haste: TensorFlow prepares a graph at its first call.

        That may take longer than the deadline of a request, and a call that is given up begins
        anew with the next one.
        """
        # What the model says to zeros does not matter.
        with contextlib.suppress(PredictionError):
            await self.server.predict(probe_request(contract), _WARM_UP_SECONDS)

    async def _observe(self, states: dict[int, str]) -> None:
        """Records what has changed since the last look."""
        gone = {v: "END" for v in self._states.keys() - states.keys()}
        actor = f"model server {self.server.address}"
        for version, state in {**gone, **states}.items():
            if self._states.get(version) != state:
                await self._record(state.lower(), version, actor=actor)
        self._states = states

    async def _record(
        self,
        what: str,
        version: int,
        *,
        actor: str = _ACTOR,
        at: str = "",
        detail: dict[str, str] | None = None,
    ) -> None:
        if self._trail is not None:
            event = Event(what, self.name, version, actor, at, detail or {})
            await asyncio.to_thread(self._trail.record, event)

    def _trouble_is(self, trouble: HeadraceError | None) -> None:
        before = self._trouble.message if self._trouble else None
        if trouble is not None and trouble.message != before:
            _LOGGER.error("%s: %s", self.name, trouble.message)
        if trouble is None and before is not None:
            _LOGGER.info("%s: the model server answers again", self.name)
        self._trouble = trouble
