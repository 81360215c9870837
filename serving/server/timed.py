"""A servable that tells an observer how long the model itself ran."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from headrace.serving.server.seam import Array, Observer, Servable, Signature


class TimedServable:
    """Another servable's runs, timed; implements the seam's ``Servable``.

    Args:
        servable: What runs.
        observer: Is told of each run that succeeds.
        api: ``Predict``, ``Classify`` or ``Regress``.
    """

    def __init__(self, servable: Servable, observer: Observer, api: str) -> None:
        self._servable = servable
        self._observer = observer
        self._api = api

    @property
    def name(self) -> str:
        """See ``seam.Servable.name``."""
        return self._servable.name

    @property
    def version(self) -> int:
        """See ``seam.Servable.version``."""
        return self._servable.version

    @property
    def signatures(self) -> Mapping[str, Signature]:
        """See ``seam.Servable.signatures``."""
        return self._servable.signatures

    @property
    def signature_def_map(self) -> Any:
        """See ``seam.Servable.signature_def_map``."""
        return self._servable.signature_def_map

    async def run(
        self, signature: str, inputs: Mapping[str, Array], outputs: Sequence[str] = ()
    ) -> dict[str, Array]:
        """See ``seam.Servable.run``."""
        start = time.perf_counter()
        result = await self._servable.run(signature, inputs, outputs)
        self._observer.runtime(self.name, self._api, time.perf_counter() - start)
        return result

    async def run_graph(
        self, feeds: Mapping[str, Array], fetches: Sequence[str]
    ) -> dict[str, Array]:
        """See ``seam.Servable.run_graph``."""
        start = time.perf_counter()
        result = await self._servable.run_graph(feeds, fetches)
        self._observer.runtime(self.name, self._api, time.perf_counter() - start)
        return result
