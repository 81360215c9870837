"""Messages of TensorFlow Serving's configuration that tensorflow-serving-api lacks.

Their descriptors are built here, field by field as TensorFlow Serving numbers them, and join the
default pool, so that ``Any`` fields in text files find them too.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import any_pb2, descriptor_pb2, descriptor_pool, message_factory, wrappers_pb2
from tensorflow.core.protobuf import config_pb2

_PACKAGE = "tensorflow.serving"
_Field = descriptor_pb2.FieldDescriptorProto
_SCALARS = {
    "string": _Field.TYPE_STRING,
    "bool": _Field.TYPE_BOOL,
    "int32": _Field.TYPE_INT32,
    "int64": _Field.TYPE_INT64,
}
# Message: field, number, type; "*" marks a repeated field.
_MESSAGES: dict[str, dict[str, tuple[int, str]]] = {
    "SSLConfig": {
        "server_key": (1, "string"),
        "server_cert": (2, "string"),
        "custom_ca": (3, "string"),
        "client_verify": (4, "bool"),
    },
    "PrometheusConfig": {"enable": (1, "bool"), "path": (2, "string")},
    "MonitoringConfig": {"prometheus_config": (1, ".tensorflow.serving.PrometheusConfig")},
    "BatchingParameters": {
        "max_batch_size": (1, ".google.protobuf.Int64Value"),
        "batch_timeout_micros": (2, ".google.protobuf.Int64Value"),
        "max_enqueued_batches": (3, ".google.protobuf.Int64Value"),
        "num_batch_threads": (4, ".google.protobuf.Int64Value"),
        "thread_pool_name": (5, ".google.protobuf.StringValue"),
        "enable_large_batch_splitting": (8, ".google.protobuf.BoolValue"),
        "max_execution_batch_size": (9, ".google.protobuf.Int64Value"),
        "allowed_batch_sizes": (6, "*int64"),
        "pad_variable_length_inputs": (7, "bool"),
    },
    "ModelWarmupOptions": {"num_request_iterations": (1, ".google.protobuf.Int32Value")},
    "SessionBundleConfig": {
        "session_config": (2, ".tensorflow.ConfigProto"),
        "batching_parameters": (3, ".tensorflow.serving.BatchingParameters"),
        "saved_model_tags": (6, "*string"),
        "enable_model_warmup": (779, "bool"),
        "model_warmup_options": (780, ".tensorflow.serving.ModelWarmupOptions"),
        "remove_unused_fields_from_bundle_metagraph": (782, "bool"),
        "prefer_tflite_model": (783, "bool"),
        "num_tflite_pools": (787, "int32"),
        "mixed_precision": (791, "string"),
    },
    "SavedModelBundleSourceAdapterConfig": {
        "legacy_config": (1000, ".tensorflow.serving.SessionBundleConfig")
    },
    "PlatformConfig": {"source_adapter_config": (1, ".google.protobuf.Any")},
}


def _file() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(
        name="headrace/serving/config.proto", package=_PACKAGE, syntax="proto3"
    )
    file.dependency.extend(module.DESCRIPTOR.name for module in (any_pb2, wrappers_pb2, config_pb2))
    for name, members in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for member, (number, kind) in members.items():
            _add(message, member, number, kind)
    _add_platform_map(file)
    return file


def _add(message: descriptor_pb2.DescriptorProto, name: str, number: int, kind: str) -> None:
    added = message.field.add(name=name, number=number, label=_Field.LABEL_OPTIONAL)
    if kind.startswith("*"):
        added.label = _Field.LABEL_REPEATED
    scalar = _SCALARS.get(kind.lstrip("*"))
    if scalar is None:
        added.type, added.type_name = _Field.TYPE_MESSAGE, kind.lstrip("*")
    else:
        added.type = scalar


def _add_platform_map(file: descriptor_pb2.FileDescriptorProto) -> None:
    """``PlatformConfigMap``: a map field is a repeated entry message underneath."""
    message = file.message_type.add(name="PlatformConfigMap")
    _add(message, "platform_configs", 1, f"*.{_PACKAGE}.PlatformConfigMap.PlatformConfigsEntry")
    entry = message.nested_type.add(name="PlatformConfigsEntry")
    entry.options.map_entry = True
    _add(entry, "key", 1, "string")
    _add(entry, "value", 2, f".{_PACKAGE}.PlatformConfig")


_pool = descriptor_pool.Default()
_pool.Add(_file())


def _class(name: str) -> Any:
    return message_factory.GetMessageClass(_pool.FindMessageTypeByName(f"{_PACKAGE}.{name}"))


SSLConfig = _class("SSLConfig")
MonitoringConfig = _class("MonitoringConfig")
BatchingParameters = _class("BatchingParameters")
SessionBundleConfig = _class("SessionBundleConfig")
SavedModelBundleSourceAdapterConfig = _class("SavedModelBundleSourceAdapterConfig")
PlatformConfigMap = _class("PlatformConfigMap")
