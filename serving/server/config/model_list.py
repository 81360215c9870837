"""The list of models to serve, checked as TensorFlow Serving checks it."""

from __future__ import annotations

import os
import re
from typing import Any
from urllib.parse import urlsplit

from tensorflow_serving.config.model_server_config_pb2 import (
    ModelConfig,
    ModelConfigList,
    ModelServerConfig,
    ModelType,
)

from headrace.serving.server.errors import Code, ServingError

PLATFORM = "tensorflow"
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


def single(name: str, base_path: str) -> Any:
    """The configuration that ``--model_name`` and ``--model_base_path`` mean."""
    config = ModelServerConfig()
    config.model_config_list.config.add(name=name, base_path=base_path, model_platform=PLATFORM)
    return config


def check(
    new: ModelConfigList, old: ModelConfigList | None = None, *, logging: bool = False
) -> None:
    """Refuses a list that contradicts itself, or the one it is to replace.

    Args:
        new: The list.
        old: The one before.
        logging: Whether requests can be logged.

    Raises:
        ServingError: INVALID_ARGUMENT; FAILED_PRECONDITION, requests cannot be logged.
    """
    seen = set()
    for config in new.config:
        if config.name in seen:
            raise _invalid(f"Illegal to list model {config.name} multiple times in config list")
        seen.add(config.name)
        if not (os.path.isabs(config.base_path) or urlsplit(config.base_path).scheme):
            raise _invalid(
                f"Expected model {config.name} to have an absolute path or URI; got "
                f"base_path()={config.base_path}"
            )
    before = {config.name: _platform(config) for config in old.config} if old else {}
    for config in new.config:
        platform = _platform(config)
        if (was := before.get(config.name, platform)) != platform:
            raise _invalid(
                f"Illegal to change a model's platform. For model {config.name} platform was "
                f"{was} and new platform requested is {platform}"
            )
        if platform != PLATFORM:
            raise _invalid(f"Model {config.name} requests unsupported platform {platform}")
        if config.HasField("logging_config"):
            _check_logging(config, enabled=logging)


def _check_logging(config: ModelConfig, *, enabled: bool) -> None:
    if not enabled:
        raise ServingError(Code.FAILED_PRECONDITION, "No request-logger-creator provided.")
    rate = config.logging_config.sampling_config.sampling_rate
    if not 0 <= rate <= 1:
        raise _invalid(f"Model {config.name}: sampling_rate is {rate:g}, not from 0 to 1")
    prefix = config.logging_config.log_collector_config.filename_prefix or config.name
    if not _PLAIN_NAME.fullmatch(prefix):
        raise _invalid(
            f"Model {config.name}: filename_prefix {prefix!r} must be a plain name; the folder is "
            "that of --request_log_folder"
        )


def _platform(config: ModelConfig) -> str:
    if config.model_type == ModelType.TENSORFLOW and not config.model_platform:
        return PLATFORM  # the old way to say it
    if config.model_type:
        raise _invalid(
            "Illegal setting both ModelServerConfig::model_type (deprecated) and "
            f"ModelServerConfig::model_platform, model name is {config.name}"
        )
    if not config.model_platform:
        raise _invalid(
            "Illegal setting neither ModelServerConfig::model_type (deprecated) nor "
            f"ModelServerConfig::model_platform, model name is {config.name}"
        )
    return str(config.model_platform)


def _invalid(message: str) -> ServingError:
    return ServingError(Code.INVALID_ARGUMENT, message)
