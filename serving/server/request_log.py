"""Requests with their answers as TFRecord files, where a model's ``logging_config`` asks for them.

TensorFlow Serving's own binary refuses ``logging_config``; here a flag names the folder, and
``filename_prefix`` the files in it. The records are ``PredictionLog``, as warm-up takes them.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import itertools
import logging
import os
import random
import threading
from collections import defaultdict, deque
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow_serving.apis import (
    classification_pb2,
    inference_pb2,
    predict_pb2,
    prediction_log_pb2,
    regression_pb2,
)

from headrace.serving.server import tensors
from headrace.serving.server.inference.common import fill_spec
from headrace.serving.server.seam import Array, Observer, Servable, VersionStatus

logger = logging.getLogger(__name__)

#: Bytes of records that may wait for the disk; more are dropped, and counted.
QUEUE_BYTES = 64 << 20
_KINDS = {
    predict_pb2.PredictRequest: "predict_log",
    classification_pb2.ClassificationRequest: "classify_log",
    regression_pb2.RegressionRequest: "regress_log",
    inference_pb2.MultiInferenceRequest: "multi_inference_log",
}


class RequestLog:
    """Takes samples of what was answered, and writes them beside the answers.

    A request only puts a record down. Files are whole once they are there; a disk that is full or
    slow costs records, never a request. Implements the seam's ``RequestLog`` and ``Watcher``.

    Args:
        folder: Where the files are written.
        rotate_seconds: How often what has come becomes a file.
        observer: Is told of each record that was, or was not, written.
    """

    def __init__(self, folder: str, rotate_seconds: float, observer: Observer) -> None:
        self._folder = Path(folder)
        self._rotate_seconds = rotate_seconds
        self._observer = observer
        #: Sampling rate and prefix of the models that are logged.
        self._models: Mapping[str, tuple[float, str]] = {}
        self._queue: deque[tuple[str, bytes]] = deque()
        self._waiting = 0
        self._lock = threading.Lock()
        self._number = itertools.count()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="request log", daemon=True)
        self._thread.start()

    def changed(self, model: str, status: VersionStatus) -> None:
        """See ``seam.Watcher``."""

    def configured(self, models: Any, by: str) -> None:
        """See ``seam.Watcher``."""
        self._models = {
            one.name: (
                one.logging_config.sampling_config.sampling_rate,
                one.logging_config.log_collector_config.filename_prefix or one.name,
            )
            for one in models.config
            if one.HasField("logging_config")
        }

    def add(self, servable: Servable, request: Any, response: Any) -> None:
        """See ``seam.RequestLog``."""
        if self._is_sampled(servable.name):
            self._put(servable, request, response)

    def add_predict(
        self,
        servable: Servable,
        signature: str,
        inputs: Mapping[str, Array],
        outputs: Mapping[str, Array],
    ) -> None:
        """See ``seam.RequestLog``."""
        if not self._is_sampled(servable.name):
            return
        request, response = predict_pb2.PredictRequest(), predict_pb2.PredictResponse()
        for spec in (request.model_spec, response.model_spec):
            fill_spec(spec, servable, signature)
        for protos, arrays in ((request.inputs, inputs), (response.outputs, outputs)):
            for alias, array in arrays.items():
                tensors.to_proto(array, protos[alias])
        self._put(servable, request, response)

    def stop(self) -> None:
        """Writes what there is."""
        self._stopping.set()
        self._thread.join()

    def _is_sampled(self, model: str) -> bool:
        found = self._models.get(model)
        return found is not None and random.random() < found[0]

    def _put(self, servable: Servable, request: Any, response: Any) -> None:
        log = prediction_log_pb2.PredictionLog()
        entry = getattr(log, _KINDS[type(request)])
        entry.request.CopyFrom(request)
        entry.response.CopyFrom(response)
        spec = log.log_metadata.model_spec
        spec.name, spec.version.value = servable.name, servable.version
        record = log.SerializeToString()
        with self._lock:
            fits = self._waiting + len(record) <= QUEUE_BYTES
            if fits:
                self._waiting += len(record)
                self._queue.append((servable.name, record))
        if not fits:
            self._observer.logged(servable.name, ok=False)

    def _run(self) -> None:
        while not self._stopping.wait(self._rotate_seconds):
            self._write_all()
        self._write_all()

    def _write_all(self) -> None:
        records: dict[str, list[bytes]] = defaultdict(list)
        while self._queue:
            model, record = self._queue.popleft()
            records[model].append(record)
        for model, some in records.items():
            ok = self._write(model, some)
            for _ in some:
                self._observer.logged(model, ok)
            with self._lock:
                self._waiting -= sum(map(len, some))

    def _write(self, model: str, records: list[bytes]) -> bool:
        _, prefix = self._models.get(model, (0.0, model))
        stamp = dt.datetime.now(dt.UTC).strftime("%Y%m%dT%H%M%S")
        path = self._folder / f"{prefix}-{stamp}-{os.getpid()}-{next(self._number)}.tfrecord"
        temporary = path.with_name(f".{path.name}.tmp")
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with tf.io.TFRecordWriter(str(temporary)) as writer:
                for record in records:
                    writer.write(record)
            temporary.replace(path)
        except (OSError, tf.errors.OpError) as error:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            logger.error("%d logged requests of %s are lost: %s", len(records), model, error)
            return False
        return True
