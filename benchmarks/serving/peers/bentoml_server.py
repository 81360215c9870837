"""BentoML: ``bentoml serve benchmarks.serving.peers.bentoml_server:BenchModel --port PORT``."""

from __future__ import annotations

import bentoml

from benchmarks.serving.peers import model


@bentoml.service(workers=1, metrics={"enabled": False}, logging={"access": {"enabled": False}})
class BenchModel:
    """Answers BentoML's own protocol, a JSON object of arguments."""

    def __init__(self) -> None:
        self._predict = model.load()

    @bentoml.api
    async def predict(self, instances: list[str]) -> list[float]:
        """In the event loop: a thread would cost more."""
        return self._predict(instances)
