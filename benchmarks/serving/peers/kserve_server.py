"""KServe's Python server: ``python -m benchmarks.serving.peers.kserve_server PORT``."""

from __future__ import annotations

import logging
import os
import sys
from typing import Any

import kserve

from benchmarks.serving.peers import model


class BenchModel(kserve.Model):
    """Answers KServe's first protocol, which is TensorFlow Serving's."""

    def __init__(self) -> None:
        super().__init__(os.environ[model.NAME])
        self._predict = model.load()
        self.ready = True

    async def predict(self, payload: Any, *_: Any, **__: Any) -> Any:
        """Rows of ``{"b64": …}`` to predictions, in the event loop: a thread would cost more."""
        return {"predictions": self._predict([row["b64"] for row in payload["instances"]])}


if __name__ == "__main__":
    logging.disable(logging.INFO)  # a line for each request, otherwise
    kserve.ModelServer(
        http_port=int(sys.argv[1]), enable_grpc=False, workers=1, enable_latency_logging=False
    ).start([BenchModel()])
