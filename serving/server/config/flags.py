"""TensorFlow Serving's flags, by the same names and with the same defaults and meaning.

``--flag=value`` and ``--flag value`` both work; a boolean flag alone means true.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import Field, dataclass, field, fields
from typing import Any

_THREADS = 4 * (os.cpu_count() or 1)


def _flag(default: Any, help: str) -> Any:
    return field(default=default, metadata={"help": help})


@dataclass(frozen=True)
class Flags:
    """The flags as given; each field is a flag of the same name."""

    port: int = _flag(8500, "Port for gRPC; 0 for none.")
    grpc_socket_path: str = _flag("", "UNIX socket for gRPC.")
    rest_api_port: int = _flag(0, "Port for REST; 0 for none.")
    rest_api_num_threads: int = _flag(_THREADS, "Threads for REST.")
    rest_api_timeout_in_ms: int = _flag(30000, "Time limit of a REST call.")
    rest_api_enable_cors_support: bool = _flag(False, "Send CORS headers.")
    model_name: str = _flag("default", "Name of the model; ignored with --model_config_file.")
    model_base_path: str = _flag("", "Folder of its versions; ignored with --model_config_file.")
    model_config_file: str = _flag("", "ModelServerConfig as text: which models to serve.")
    model_config_file_poll_wait_seconds: int = _flag(0, "Read that file again so often; 0 never.")
    file_system_poll_wait_seconds: int = _flag(1, "Look for versions so often; 0 once, < 0 never.")
    num_load_threads: int = _flag(0, "Loads side by side after the start; 0 for one.")
    max_num_load_retries: int = _flag(5, "Attempts after the first that failed.")
    load_retry_interval_micros: int = _flag(60_000_000, "Time between attempts.")
    enable_model_warmup: bool = _flag(True, "Replay recorded requests before a version serves.")
    num_request_iterations_for_warmup: int = _flag(0, "How often each is replayed; 0 for once.")
    allow_version_labels_for_unavailable_models: bool = _flag(
        False, "Let a new label point at a version that is not there yet."
    )
    saved_model_tags: str = _flag("serve", "Tags of the meta graph, with commas between them.")
    prefer_tflite_model: bool = _flag(False, "Serve model.tflite where a version has one.")
    num_tflite_pools: int = _flag(os.cpu_count() or 1, "TFLite calls side by side.")
    enable_batching: bool = _flag(False, "Merge requests that wait at the same time.")
    batching_parameters_file: str = _flag("", "BatchingParameters as text.")
    tensorflow_session_parallelism: int = _flag(0, "Threads of a session; 0 for automatic.")
    tensorflow_intra_op_parallelism: int = _flag(0, "Threads within an operation.")
    tensorflow_inter_op_parallelism: int = _flag(0, "Operations side by side.")
    tensorflow_session_config_file: str = _flag("", "ConfigProto as text.")
    platform_config_file: str = _flag("", "PlatformConfigMap as text, instead of other flags.")
    mixed_precision: str = _flag("", "bfloat16, or empty.")
    grpc_channel_arguments: str = _flag("", "Options of the gRPC server: key=value,…")
    grpc_max_threads: int = _flag(_THREADS, "Threads for gRPC.")
    ssl_config_file: str = _flag("", "SSLConfig as text: gRPC with TLS.")
    monitoring_config_file: str = _flag("", "MonitoringConfig as text: Prometheus metrics.")
    enable_signature_method_name_check: bool = _flag(
        False, "Check a signature's method name before Classify and Regress."
    )
    enable_profiler: bool = _flag(True, "Answer TensorFlow's profiler on the gRPC port.")
    enable_grpc_healthcheck_service: bool = _flag(False, "Answer grpc.health.v1.")
    enable_serialization_as_tensor_content: bool = _flag(
        False, "Answer with tensor_content instead of *_val fields."
    )
    version: bool = _flag(False, "Show the version.")
    # Not of TensorFlow Serving.
    request_log_folder: str = _flag("", "Where models' logging_config writes; empty refuses it.")
    request_log_rotate_seconds: int = _flag(60, "How often a file of logged requests is finished.")
    audit_file: str = _flag("", "Record here what is loaded, labelled and unloaded, and by whom.")


#: Flags of TensorFlow Serving that mean nothing here, with the one value they may have.
UNSUPPORTED = {
    "use_alts_credentials": "false",
    "per_process_gpu_memory_fraction": "0",
    "num_unload_threads": "0",
    "flush_filesystem_caches": "true",
    "remove_unused_fields_from_bundle_metagraph": "true",
    "enable_per_model_batching_parameters": "false",
    "num_tflite_interpreters_per_pool": "1",
    "xla_cpu_compilation_enabled": "false",
    "xla_gpu_compilation_enabled": "false",
    "thread_pool_factory_config_file": "",
    "skip_initialize_tpu": "false",
}


def parse(arguments: Sequence[str]) -> Flags:
    """Reads the command line; ends the process with status 2 when it is wrong."""
    parser = _parser()
    given = vars(parser.parse_args(arguments))
    for name, default in UNSUPPORTED.items():
        value = given.pop(name)
        if value is not None and value.lower() != default:
            parser.error(
                f"--{name}={value} is a flag of TensorFlow Serving that this server does not "
                f"support; leave it out, or use tensorflow_model_server."
            )
    return Flags(**given)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m headrace.serving.server",
        description="A model server that speaks TensorFlow Serving's protocol.",
        allow_abbrev=False,
    )
    for one in fields(Flags):
        parser.add_argument(f"--{one.name}", **_options(one))
    for name in UNSUPPORTED:
        parser.add_argument(f"--{name}", nargs="?", const="true", help=argparse.SUPPRESS)
    return parser


def _options(one: Field[Any]) -> dict[str, Any]:
    options: dict[str, Any] = {"default": one.default, "help": one.metadata["help"]}
    if isinstance(one.default, bool):
        return {**options, "type": _boolean, "nargs": "?", "const": True, "metavar": "BOOL"}
    return {**options, "type": type(one.default), "metavar": type(one.default).__name__.upper()}


def _boolean(text: str) -> bool:
    try:
        return {"true": True, "1": True, "false": False, "0": False}[text.lower()]
    except KeyError:
        raise argparse.ArgumentTypeError(f"{text!r} is neither true nor false") from None
