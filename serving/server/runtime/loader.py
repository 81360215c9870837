"""From a version's folder to a servable."""

from __future__ import annotations

from dataclasses import dataclass, field

import tensorflow as tf
from tensorflow.core.protobuf import config_pb2

from headrace.serving.server.batching.scheduler import Batcher
from headrace.serving.server.runtime import tflite
from headrace.serving.server.runtime.servable import LoadedServable, Model
from headrace.serving.server.runtime.session import SessionModel


@dataclass(frozen=True)
class Loader:
    """How versions are loaded.

    Attributes:
        config: Configures each session.
        tags: Which meta graph is loaded.
        tflite_interpreters: How many TFLite interpreters a model gets; 0 loads SavedModels only.
        batcher: Merges requests; None when batching is off.
    """

    config: config_pb2.ConfigProto = field(default_factory=config_pb2.ConfigProto)
    tags: tuple[str, ...] = ("serve",)
    tflite_interpreters: int = 0
    batcher: Batcher | None = None

    def load(self, name: str, version: int, path: str) -> LoadedServable:
        """Loads a version.

        Raises:
            ServingError: it cannot be loaded.
        """
        return LoadedServable(name, version, self._model(path), self.batcher)

    def _model(self, path: str) -> Model:
        if self.tflite_interpreters and tf.io.gfile.exists(f"{path}/{tflite.FILE}"):
            return tflite.TfliteModel(path, self.tflite_interpreters)
        return SessionModel(path, self.config, self.tags)
