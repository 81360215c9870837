"""The server put together from its flags."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from headrace.serving.server.audit import Audit
from headrace.serving.server.batching.scheduler import Batcher
from headrace.serving.server.config import files, messages, model_list, session_bundle
from headrace.serving.server.config.flags import Flags
from headrace.serving.server.errors import Code, ServingError
from headrace.serving.server.grpc.front_end import GrpcFrontEnd, GrpcOptions
from headrace.serving.server.grpc.model_service import ModelService
from headrace.serving.server.grpc.prediction_service import PredictionService
from headrace.serving.server.inference import InferenceOptions
from headrace.serving.server.metrics import DEFAULT_PATH, Metrics
from headrace.serving.server.models import warmup
from headrace.serving.server.models.manager import ManagerOptions, ModelManager
from headrace.serving.server.request_log import RequestLog
from headrace.serving.server.rest.front_end import RestFrontEnd, RestOptions
from headrace.serving.server.runtime.loader import Loader
from headrace.serving.server.runtime.servable import LoadedServable
from headrace.serving.server.seam import FrontEnd, Observer

logger = logging.getLogger(__name__)


class Server:
    """Models and front ends.

    Args:
        flags: As given on the command line.

    Raises:
        ServingError: flags or the files they name cannot be used.
    """

    def __init__(self, flags: Flags) -> None:
        _check(flags)
        self._flags = flags
        self._config = _model_config(flags)
        self._metrics = Metrics()
        self._metrics_path = _metrics_path(flags)
        self._inference = InferenceOptions(
            check_method_name=flags.enable_signature_method_name_check,
            tensor_content=flags.enable_serialization_as_tensor_content,
        )
        self._stopping = threading.Event()
        bundle = session_bundle.build(flags)
        parameters = session_bundle.batching(bundle)
        self._batcher = Batcher(parameters, self._metrics.batch) if parameters else None
        self._log = _request_log(flags, self._metrics)
        self._audit = Audit(flags.audit_file, flags.port) if flags.audit_file else None
        watchers = [one for one in (self._log, self._audit) if one is not None]
        self.models = ModelManager(self._loading(bundle), _manager_options(flags), watchers)
        self.front_ends: list[FrontEnd] = []

    def start(self) -> None:
        """Loads the configured models, then opens the ports.

        Raises:
            ServingError: a model did not become available, or a port is taken.
        """
        self.models.configure(self._config, _origin(self._flags))
        if self._flags.port or self._flags.grpc_socket_path:
            self._open(self._grpc())
        if self._flags.rest_api_port:
            self._open(self._rest())
        if self._flags.model_config_file and self._flags.model_config_file_poll_wait_seconds > 0:
            threading.Thread(target=self._poll_config, name="poll config", daemon=True).start()

    def stop(self, grace: float) -> None:
        """Refuses new requests, and waits at most ``grace`` seconds for those under way."""
        self._stopping.set()
        self.models.stop()
        stopping = [
            threading.Thread(target=front_end.stop, args=(grace,)) for front_end in self.front_ends
        ]
        for thread in stopping:
            thread.start()
        for thread in stopping:
            thread.join()
        if self._log is not None:
            self._log.stop()
        if self._audit is not None:
            self._audit.stop()

    def _open(self, front_end: FrontEnd) -> None:
        front_end.start()
        self.front_ends.append(front_end)
        logger.info("%s at %s", type(front_end).__name__, front_end.address)

    def _loading(self, bundle: Any) -> Callable[[str, int, str], LoadedServable]:
        loader = Loader(
            config=session_bundle.session_config(bundle),
            tags=tuple(bundle.saved_model_tags),
            tflite_interpreters=bundle.num_tflite_pools or 1 if bundle.prefer_tflite_model else 0,
            batcher=self._batcher,
        )
        iterations = bundle.model_warmup_options.num_request_iterations.value or 1

        def load(name: str, version: int, path: str) -> LoadedServable:
            servable = loader.load(name, version, path)
            try:
                if bundle.enable_model_warmup:
                    warmup.replay(servable, path, self._metrics, iterations)
            except BaseException:
                servable.close()
                raise
            return servable

        return load

    def _grpc(self) -> GrpcFrontEnd:
        flags = self._flags
        return GrpcFrontEnd(
            PredictionService(self.models, self._metrics, self._inference, self._log),
            ModelService(self.models, self.models.configure, self._metrics.counter),
            GrpcOptions(
                port=flags.port,
                socket_path=flags.grpc_socket_path,
                threads=flags.grpc_max_threads,
                ssl_config_file=flags.ssl_config_file,
                channel_arguments=flags.grpc_channel_arguments,
                health=flags.enable_grpc_healthcheck_service,
                profiler=flags.enable_profiler,
            ),
        )

    def _rest(self) -> RestFrontEnd:
        flags = self._flags
        options = RestOptions(
            port=flags.rest_api_port,
            threads=flags.rest_api_num_threads,
            timeout=flags.rest_api_timeout_in_ms / 1000,
            cors=flags.rest_api_enable_cors_support,
            metrics_path=self._metrics_path or DEFAULT_PATH,
            batching=self._batcher is not None,
        )
        return RestFrontEnd(
            self.models,
            self._metrics,
            options,
            self._inference,
            self._metrics if self._metrics_path else None,
            self._log,
        )

    def _poll_config(self) -> None:
        while not self._stopping.wait(self._flags.model_config_file_poll_wait_seconds):
            try:
                self.models.configure(_model_config(self._flags), _origin(self._flags))
            except ServingError as error:
                logger.error("%s was not taken over: %s", self._flags.model_config_file, error)


def _check(flags: Flags) -> None:
    if not flags.port and not flags.grpc_socket_path:
        raise _invalid(
            "At least one of server_options.grpc_port or server_options.grpc_socket_path must "
            "be set."
        )
    if not flags.model_base_path and not flags.model_config_file:
        raise _invalid(
            "Both server_options.model_base_path and server_options.model_config_file are empty!"
        )
    if flags.rest_api_port and flags.rest_api_port == flags.port:
        raise _invalid("server_options.http_port cannot be same as grpc_port.")


def _model_config(flags: Flags) -> Any:
    if flags.model_config_file:
        return files.read(flags.model_config_file, ModelServerConfig)
    return model_list.single(flags.model_name, flags.model_base_path)


def _origin(flags: Flags) -> str:
    """Who asks for the configuration of :func:`_model_config`."""
    if flags.model_config_file:
        return f"--model_config_file={flags.model_config_file}"
    return f"--model_base_path={flags.model_base_path}"


def _request_log(flags: Flags, observer: Observer) -> RequestLog | None:
    if not flags.request_log_folder:
        return None
    if flags.request_log_rotate_seconds < 1:
        raise _invalid("request_log_rotate_seconds must be at least 1")
    return RequestLog(flags.request_log_folder, flags.request_log_rotate_seconds, observer)


def _manager_options(flags: Flags) -> ManagerOptions:
    return ManagerOptions(
        poll_seconds=flags.file_system_poll_wait_seconds,
        load_threads=flags.num_load_threads,
        retries=flags.max_num_load_retries,
        retry_seconds=flags.load_retry_interval_micros / 1e6,
        labels_in_advance=flags.allow_version_labels_for_unavailable_models,
        request_log=bool(flags.request_log_folder),
    )


def _metrics_path(flags: Flags) -> str | None:
    if not flags.monitoring_config_file:
        return None
    config: Any = files.read(flags.monitoring_config_file, messages.MonitoringConfig)
    if not config.prometheus_config.enable:
        return None
    return config.prometheus_config.path or DEFAULT_PATH


def _invalid(message: str) -> ServingError:
    return ServingError(Code.INVALID_ARGUMENT, message)
