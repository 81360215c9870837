"""A loaded version: checks, runs, and batches when batching is on."""

from __future__ import annotations

import functools
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from headrace.serving.server import calls, tensors
from headrace.serving.server.batching.scheduler import BatchedRun, Batcher
from headrace.serving.server.runtime import signatures
from headrace.serving.server.runtime.session import Runner
from headrace.serving.server.seam import Array, Signature

# A client chooses which outputs it wants, so what is kept for each choice needs a limit.
_MAX_PLANS = 64


class Model(Protocol):
    """What was loaded from a folder: a session, or TFLite interpreters."""

    signatures: Mapping[str, Signature]
    signature_def_map: Any

    def runner(self, feeds: tuple[str, ...], fetches: tuple[str, ...]) -> Runner:
        """A function that feeds and fetches these tensors."""

    def close(self) -> None:
        """Frees the model."""


@dataclass(frozen=True)
class _Plan:
    signature: Signature
    aliases: tuple[str, ...]
    run: BatchedRun


class LoadedServable:
    """One loaded version of one model; implements the seam's ``Servable``.

    Args:
        name: The model's name.
        version: The version's number.
        model: What was loaded.
        batcher: Merges requests, when batching is on.
    """

    def __init__(
        self, name: str, version: int, model: Model, batcher: Batcher | None = None
    ) -> None:
        self.name = name
        self.version = version
        self.signatures = model.signatures
        self.signature_def_map = model.signature_def_map
        self._model = model
        self._batcher = batcher
        specs = [spec for one in self.signatures.values() for spec in one.inputs.values()]
        self._dtypes = {spec.name: tensors.numpy_dtype(spec.dtype) for spec in specs if spec.name}
        self._plan = functools.lru_cache(_MAX_PLANS)(self._make_plan)
        self._cached_runner = functools.lru_cache(_MAX_PLANS)(self._make_runner)
        self._lock = threading.Lock()

    async def run(
        self, signature: str, inputs: Mapping[str, Array], outputs: Sequence[str] = ()
    ) -> dict[str, Array]:
        """See ``seam.Servable.run``."""
        found = signatures.find(self.signatures, signature)
        values = signatures.feeds(found, inputs)
        plan = self._plan(signature, tuple(outputs))
        return dict(zip(plan.aliases, await plan.run(values), strict=True))

    async def run_graph(
        self, feeds: Mapping[str, Array], fetches: Sequence[str]
    ) -> dict[str, Array]:
        """See ``seam.Servable.run_graph``."""
        run = self._runner(tuple(feeds), tuple(fetches))
        return dict(zip(fetches, await run(list(feeds.values())), strict=True))

    def close(self) -> None:
        """Frees the model; nothing may be running."""
        self._plan.cache_clear()
        self._cached_runner.cache_clear()
        self._model.close()

    def _make_plan(self, name: str, outputs: tuple[str, ...]) -> _Plan:
        signature = signatures.find(self.signatures, name)
        aliases = signatures.fetches(signature, outputs)
        feeds = tuple(spec.name for spec in signature.inputs.values())
        run = self._runner(feeds, tuple(signature.outputs[alias].name for alias in aliases))
        return _Plan(signature, aliases, run)

    def _runner(self, feeds: tuple[str, ...], fetches: tuple[str, ...]) -> BatchedRun:
        with self._lock:  # two runners of one kind would be two queues, and merge less
            return self._cached_runner(feeds, fetches)

    def _make_runner(self, feeds: tuple[str, ...], fetches: tuple[str, ...]) -> BatchedRun:
        run = self._model.runner(feeds, fetches)
        if self._batcher is None:
            return _alone(run)
        return self._batcher.wrap(run, feeds, [self._dtypes[name] for name in feeds])


def _alone(run: Runner) -> BatchedRun:
    async def run_alone(values: Sequence[Array]) -> list[Array]:
        return await calls.Work(lambda: run(values))

    return run_alone
