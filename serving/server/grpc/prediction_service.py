"""``tensorflow.serving.PredictionService``."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    inference_pb2,
    model_pb2,
    predict_pb2,
    regression_pb2,
)

from headrace.serving.server import inference
from headrace.serving.server.errors import Code, ServingError
from headrace.serving.server.grpc.unary_call import Method, Methods
from headrace.serving.server.inference import InferenceOptions
from headrace.serving.server.seam import Entrypoint, Models, Observer, RequestLog, Servable
from headrace.serving.server.timed import TimedServable

NAME = "tensorflow.serving.PredictionService"
_SIGNATURE_DEF = "signature_def"


class PredictionService:
    """Answers requests with the models.

    Args:
        models: What is served.
        observer: Is told of each Predict, Classify and Regress.
        options: What flags change about answers.
        log: Takes samples, if there is one.
    """

    def __init__(
        self,
        models: Models,
        observer: Observer,
        options: InferenceOptions,
        log: RequestLog | None = None,
    ) -> None:
        self._models = models
        self._observer = observer
        self._options = options
        self._log = log

    def methods(self) -> Methods:
        """The service's methods by path."""
        counted = self._counted
        methods = {
            "Predict": Method(counted("Predict", inference.predict), predict_pb2.PredictRequest),
            "Classify": Method(
                counted("Classify", inference.classify), classification_pb2.ClassificationRequest
            ),
            "Regress": Method(
                counted("Regress", inference.regress), regression_pb2.RegressionRequest
            ),
            "MultiInference": Method(self._multi_inference, inference_pb2.MultiInferenceRequest),
            "GetModelMetadata": Method(
                self._get_model_metadata, get_model_metadata_pb2.GetModelMetadataRequest
            ),
        }
        return {f"/{NAME}/{name}".encode(): method for name, method in methods.items()}

    def _counted(self, api: str, answer: Callable[..., Any]) -> Callable[[Any], Any]:
        """``answer`` on the model that the request names, with metrics."""

        async def call(request: Any) -> Any:
            start = time.perf_counter()
            code = Code.INTERNAL
            try:
                if not request.HasField("model_spec"):
                    raise ServingError(Code.INVALID_ARGUMENT, "Missing ModelSpec")
                with acquire(self._models, request.model_spec) as servable:
                    timed = TimedServable(servable, self._observer, api)
                    response = await answer(timed, request, self._options)
                    if self._log is not None:
                        self._log.add(servable, request, response)
                code = Code.OK
                return response
            except ServingError as error:
                code = error.code
                raise
            finally:
                seconds = time.perf_counter() - start
                name = request.model_spec.name
                self._observer.request(name, api, Entrypoint.GRPC, code, seconds)

        return call

    async def _multi_inference(
        self, request: inference_pb2.MultiInferenceRequest
    ) -> inference_pb2.MultiInferenceResponse:
        spec = request.tasks[0].model_spec if request.tasks else model_pb2.ModelSpec()
        with acquire(self._models, spec) as servable:
            response = await inference.multi_inference(servable, request, self._options)
            if self._log is not None:
                self._log.add(servable, request, response)
        self._observer.examples(spec.name, inference.example_count(request.input))
        return response

    async def _get_model_metadata(
        self, request: get_model_metadata_pb2.GetModelMetadataRequest
    ) -> get_model_metadata_pb2.GetModelMetadataResponse:
        if not request.HasField("model_spec"):
            raise ServingError(Code.INVALID_ARGUMENT, "Missing ModelSpec")
        if not request.metadata_field:
            raise ServingError(
                Code.INVALID_ARGUMENT,
                "GetModelMetadataRequest must specify at least one metadata_field",
            )
        for field in request.metadata_field:
            if field != _SIGNATURE_DEF:
                raise ServingError(
                    Code.INVALID_ARGUMENT, f"Metadata field {field} is not supported"
                )
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        with acquire(self._models, request.model_spec) as servable:
            response.model_spec.name = servable.name
            response.model_spec.version.value = servable.version
            response.metadata[_SIGNATURE_DEF].Pack(servable.signature_def_map)
        return response


def acquire(models: Models, spec: model_pb2.ModelSpec) -> AbstractContextManager[Servable]:
    """Holds the version that a ``ModelSpec`` means."""
    choice = spec.WhichOneof("version_choice")
    return models.acquire(
        spec.name,
        version=spec.version.value if choice == "version" else None,
        label=spec.version_label if choice == "version_label" else None,
    )
