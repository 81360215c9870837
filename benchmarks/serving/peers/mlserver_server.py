"""MLServer: ``python -m benchmarks.serving.peers.mlserver_server PORT``."""

from __future__ import annotations

import asyncio
import logging
import os
import sys

from mlserver import MLModel, MLServer, ModelSettings, Settings
from mlserver.types import InferenceRequest, InferenceResponse, ResponseOutput

from benchmarks.serving.peers import model


class BenchModel(MLModel):
    """Answers the V2 protocol; MLServer has no other."""

    async def load(self) -> bool:
        """Loads the model."""
        self._predict = model.load()
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """The bytes of the only input to the only output."""
        values = self._predict(list(payload.inputs[0].data))
        output = ResponseOutput(
            name="probability", shape=[len(values)], datatype="FP32", data=values
        )
        return InferenceResponse(model_name=self.name, outputs=[output])


async def main(port: int) -> None:
    """Serves in this process: its pool of processes would cost a hop more."""
    settings = Settings(
        http_port=port,
        grpc_port=port + 1,
        metrics_endpoint=None,
        parallel_workers=0,
        host="127.0.0.1",
        debug=False,
    )
    name = os.environ[model.NAME]
    await MLServer(settings).start([ModelSettings(name=name, implementation=BenchModel)])


if __name__ == "__main__":
    logging.disable(logging.INFO)  # a line for each request, otherwise
    asyncio.run(main(int(sys.argv[1])))
