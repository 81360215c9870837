"""The services' descriptions, which reflection tells to clients such as grpcurl.

The modules that TensorFlow Serving generates for them do not load with protobuf 6: only those of
the messages do.
"""

from __future__ import annotations

from google.protobuf import descriptor_pb2, descriptor_pool
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_management_pb2,
    predict_pb2,
    regression_pb2,
)

_PACKAGE = "tensorflow.serving"
_MODULES = (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    model_management_pb2,
    predict_pb2,
    regression_pb2,
)
#: Service: method, and what its messages are called before Request and Response.
_SERVICES = {
    "PredictionService": {
        "Classify": "Classification",
        "Regress": "Regression",
        "Predict": "Predict",
        "MultiInference": "MultiInference",
        "GetModelMetadata": "GetModelMetadata",
    },
    "ModelService": {
        "GetModelStatus": "GetModelStatus",
        "HandleReloadConfigRequest": "ReloadConfig",
    },
}


def _file() -> descriptor_pb2.FileDescriptorProto:
    file = descriptor_pb2.FileDescriptorProto(
        name="headrace/serving/services.proto", package=_PACKAGE, syntax="proto3"
    )
    file.dependency.extend(module.DESCRIPTOR.name for module in _MODULES)
    for name, methods in _SERVICES.items():
        service = file.service.add(name=name)
        for method, message in methods.items():
            service.method.add(
                name=method,
                input_type=f".{_PACKAGE}.{message}Request",
                output_type=f".{_PACKAGE}.{message}Response",
            )
    return file


descriptor_pool.Default().Add(_file())
