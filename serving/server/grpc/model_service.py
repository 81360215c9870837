"""``tensorflow.serving.ModelService``: states of versions, and a new configuration."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

import grpc
from tensorflow_serving.apis import get_model_status_pb2, model_management_pb2

from headrace.serving.server.errors import Code, ServingError
from headrace.serving.server.grpc.handlers import blocking_handler
from headrace.serving.server.grpc.unary_call import Method, Methods
from headrace.serving.server.seam import Models

NAME = "tensorflow.serving.ModelService"
logger = logging.getLogger(__name__)


class ModelService:
    """Answers about models.

    Args:
        models: What is served.
        configure: Replaces the configuration by a ``ModelServerConfig``, on whose behalf.
        counter: The present value of a counter by name; 0 for one that is not known.
    """

    def __init__(
        self,
        models: Models,
        configure: Callable[[Any, str], None],
        counter: Callable[[str], int],
    ) -> None:
        self._models = models
        self._configure = configure
        self._counter = counter

    def methods(self) -> Methods:
        """The methods that answer at once, by path."""
        status = Method(self._get_model_status, get_model_status_pb2.GetModelStatusRequest)
        return {f"/{NAME}/GetModelStatus".encode(): status}

    def handlers(self) -> grpc.GenericRpcHandler:
        """The method that takes its time, as grpcio takes it."""
        request = model_management_pb2.ReloadConfigRequest
        reload = blocking_handler(self._reload, request)
        return grpc.method_handlers_generic_handler(NAME, {"HandleReloadConfigRequest": reload})

    async def _get_model_status(
        self, request: get_model_status_pb2.GetModelStatusRequest
    ) -> get_model_status_pb2.GetModelStatusResponse:
        if not request.HasField("model_spec"):
            raise ServingError(Code.INVALID_ARGUMENT, "Missing ModelSpec")
        spec = request.model_spec
        version = spec.version.value if spec.HasField("version") else None
        response = get_model_status_pb2.GetModelStatusResponse()
        for status in self._models.status(spec.name, version):
            entry = response.model_version_status.add(version=status.version, state=status.state)
            entry.status.error_code = int(status.code)
            entry.status.error_message = status.message
        return response

    def _reload(
        self, request: model_management_pb2.ReloadConfigRequest, peer: str
    ) -> model_management_pb2.ReloadConfigResponse:
        if request.config.WhichOneof("config") != "model_config_list":
            raise ServingError(
                Code.INVALID_ARGUMENT,
                "ServerModelConfig type not supported by HandleReloadConfigRequest. "
                "Only ModelConfigList is currently supported",
            )
        before = {name: self._counter(name) for name in request.metric_names}
        try:
            self._configure(request.config, f"HandleReloadConfigRequest of {unquote(peer)}")
        except ServingError as error:
            logger.error("ReloadConfig failed: %s", error)
            raise
        response = model_management_pb2.ReloadConfigResponse()
        response.status.error_code = int(Code.OK)
        for name, value in before.items():
            response.metric.add(name=name, int64_value_increase=self._counter(name) - value)
        return response
