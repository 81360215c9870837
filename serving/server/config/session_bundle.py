"""How models are loaded, from flags or from a platform config file: a ``SessionBundleConfig``."""

from __future__ import annotations

from typing import Any

from tensorflow.core.protobuf import config_pb2, rewriter_config_pb2

from headrace.serving.server.batching.parameters import BatchingParameters
from headrace.serving.server.config import files, messages
from headrace.serving.server.config.flags import Flags
from headrace.serving.server.config.model_list import PLATFORM
from headrace.serving.server.errors import Code, ServingError


def build(flags: Flags) -> Any:
    """The one configuration that either source of it leads to.

    Raises:
        ServingError: flags contradict each other, or a file cannot be read.
    """
    if flags.platform_config_file:
        return _from_platforms(files.read(flags.platform_config_file, messages.PlatformConfigMap))
    bundle = messages.SessionBundleConfig(
        saved_model_tags=flags.saved_model_tags.split(","),
        enable_model_warmup=flags.enable_model_warmup,
        prefer_tflite_model=flags.prefer_tflite_model,
        num_tflite_pools=flags.num_tflite_pools,
        mixed_precision=flags.mixed_precision,
    )
    if flags.num_request_iterations_for_warmup > 0:
        iterations = flags.num_request_iterations_for_warmup
        bundle.model_warmup_options.num_request_iterations.value = iterations
    if flags.tensorflow_session_config_file:
        bundle.session_config.CopyFrom(
            files.read(flags.tensorflow_session_config_file, config_pb2.ConfigProto)
        )
    _set_parallelism(bundle.session_config, flags)
    _set_batching(bundle, flags)
    return bundle


def batching(bundle: Any) -> BatchingParameters | None:
    """The checked batching parameters; None when batching is off.

    Raises:
        ServingError: INVALID_ARGUMENT, they contradict each other.
    """
    if not bundle.HasField("batching_parameters"):
        return None
    return BatchingParameters.from_proto(bundle.batching_parameters)


def session_config(bundle: Any) -> config_pb2.ConfigProto:
    """The configuration of each session.

    Raises:
        ServingError: INVALID_ARGUMENT, an unknown mixed precision.
    """
    config = config_pb2.ConfigProto()
    config.CopyFrom(bundle.session_config)
    if bundle.mixed_precision == "bfloat16":
        rewrites = config.graph_options.rewrite_options
        rewrites.auto_mixed_precision_onednn_bfloat16 = rewriter_config_pb2.RewriterConfig.ON
    elif bundle.mixed_precision:
        raise _invalid(
            f"{bundle.mixed_precision} auto mixed precision is not supported. "
            "Valid option: bfloat16"
        )
    return config


def _from_platforms(platforms: Any) -> Any:
    packed = platforms.platform_configs[PLATFORM].source_adapter_config
    adapter = messages.SavedModelBundleSourceAdapterConfig()
    if not packed.Unpack(adapter):
        raise _invalid(
            f"platform_config_file needs a SavedModelBundleSourceAdapterConfig for the platform "
            f"{PLATFORM}; got {packed.type_url or 'nothing'}"
        )
    bundle = adapter.legacy_config
    if not bundle.saved_model_tags:
        bundle.saved_model_tags.append("serve")
    return bundle


def _set_parallelism(config: config_pb2.ConfigProto, flags: Flags) -> None:
    both = flags.tensorflow_session_parallelism
    intra = flags.tensorflow_intra_op_parallelism
    inter = flags.tensorflow_inter_op_parallelism
    if both > 0 and intra > 0 and inter > 0:
        raise _invalid(
            "Either configure server_options.tensorflow_session_parallelism or "
            "(server_options.tensorflow_intra_op_parallelism, "
            "server_options.tensorflow_inter_op_parallelism) separately. "
            "You cannot configure all."
        )
    if intra > 0 or inter > 0:
        config.intra_op_parallelism_threads = intra
        config.inter_op_parallelism_threads = inter
    elif both > 0:
        config.intra_op_parallelism_threads = both
        config.inter_op_parallelism_threads = both


def _set_batching(bundle: Any, flags: Flags) -> None:
    if flags.enable_batching:
        bundle.batching_parameters.SetInParent()
        if flags.batching_parameters_file:
            read = files.read(flags.batching_parameters_file, messages.BatchingParameters)
            bundle.batching_parameters.CopyFrom(read)
    elif flags.batching_parameters_file:
        raise _invalid(
            "server_options.batching_parameters_file is set without setting "
            "server_options.enable_batching to true."
        )


def _invalid(message: str) -> ServingError:
    return ServingError(Code.INVALID_ARGUMENT, message)
