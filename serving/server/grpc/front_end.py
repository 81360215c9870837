"""The gRPC server: ports, TLS, limits and services."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from headrace.serving.server.config import files, messages
from headrace.serving.server.errors import Code, ServingError
from headrace.serving.server.grpc import (
    descriptions,  # noqa: F401  (reflection reads them)
    model_service,
    prediction_service,
    profiler_service,
)
from headrace.serving.server.grpc.event_threads import EventThreads

logger = logging.getLogger(__name__)

_INT32_MAX = 2**31 - 1
_OPTIONS = {
    "grpc.max_receive_message_length": _INT32_MAX,
    "grpc.max_send_message_length": _INT32_MAX,
    "grpc.so_reuseport": 0,
}
#: Reflection, health, the profiler, a new configuration.
_OTHER_THREADS = 4
_HEALTH_NAMES = ("", "ModelService", "PredictionService")


@dataclass(frozen=True)
class GrpcOptions:
    """Where and how the server listens.

    Attributes:
        port: TCP port; 0 for none, None for any that is free.
        socket_path: UNIX socket; empty for none.
        threads: Requests answered side by side.
        ssl_config_file: Text-format ``SSLConfig``; empty for no TLS.
        channel_arguments: ``key=value,…``
        health: Whether to answer ``grpc.health.v1``.
        profiler: Whether to answer TensorFlow's profiler.
    """

    port: int | None = 8500
    socket_path: str = ""
    threads: int = 8
    ssl_config_file: str = ""
    channel_arguments: str = ""
    health: bool = False
    profiler: bool = True


class GrpcFrontEnd:
    """Serves the two services; implements the seam's ``FrontEnd``.

    Args:
        prediction: Answers requests.
        management: Answers about models.
        options: Where and how to listen.

    Raises:
        ServingError: the port is taken, or the TLS file is not usable.
    """

    def __init__(
        self,
        prediction: prediction_service.PredictionService,
        management: model_service.ModelService,
        options: GrpcOptions,
    ) -> None:
        self._server = grpc.server(
            ThreadPoolExecutor(_OTHER_THREADS, thread_name_prefix="grpc other"),
            options=list({**_OPTIONS, **_channel_arguments(options.channel_arguments)}.items()),
        )
        methods = {**prediction.methods(), **management.methods()}
        self._threads = EventThreads(self._server, methods, options.threads)
        handlers = [management.handlers()]
        names = [prediction_service.NAME, model_service.NAME, reflection.SERVICE_NAME]
        if options.profiler:
            handlers.append(profiler_service.handlers())
        self._server.add_generic_rpc_handlers(handlers)
        if options.health:
            names.append(health.SERVICE_NAME)
            self._add_health()
        reflection.enable_server_reflection(names, self._server)
        self.port = self._listen(options)

    @property
    def address(self) -> str:
        """See ``seam.FrontEnd.address``."""
        return f"localhost:{self.port}"

    def start(self) -> None:
        """See ``seam.FrontEnd.start``."""
        self._threads.start()

    def stop(self, grace: float) -> None:
        """See ``seam.FrontEnd.stop``."""
        self._threads.refuse()
        self._server.stop(grace).wait()

    def _add_health(self) -> None:
        servicer = health.HealthServicer()
        for name in _HEALTH_NAMES:
            servicer.set(name, health_pb2.HealthCheckResponse.SERVING)
        health_pb2_grpc.add_HealthServicer_to_server(servicer, self._server)

    def _listen(self, options: GrpcOptions) -> int:
        credentials = _credentials(options.ssl_config_file)
        places = []
        if options.port != 0:
            places.append(f"0.0.0.0:{options.port or 0}")
        if options.socket_path:
            places.append(f"unix:{options.socket_path}")
        bound = 0
        for place in places:
            try:
                if credentials is None:
                    port = self._server.add_insecure_port(place)
                else:
                    port = self._server.add_secure_port(place, credentials)
            except RuntimeError as error:
                hint = f" Look at the key and certificate in {options.ssl_config_file}, too."
                raise ServingError(
                    Code.UNAVAILABLE,
                    f"Cannot listen at {place}: {error}{hint if credentials else ''}",
                ) from None
            bound = bound or port
        return bound


def _channel_arguments(text: str) -> dict[str, Any]:
    arguments: dict[str, Any] = {}
    for part in filter(None, text.split(",")):
        key, separator, value = part.partition("=")
        if not separator:
            raise ServingError(
                Code.INVALID_ARGUMENT, f"grpc_channel_arguments: expected key=value, got {part!r}"
            )
        try:
            arguments[key] = int(value)
        except ValueError:
            arguments[key] = value
    return arguments


def _credentials(file: str) -> grpc.ServerCredentials | None:
    if not file:
        return None
    config: Any = files.read(file, messages.SSLConfig)
    try:
        return grpc.ssl_server_credentials(
            [(config.server_key.encode(), config.server_cert.encode())],
            root_certificates=config.custom_ca.encode() or None,
            require_client_auth=config.client_verify,
        )
    except ValueError as error:
        raise ServingError(Code.INVALID_ARGUMENT, f"{file}: {error}") from None
