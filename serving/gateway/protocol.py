"""TensorFlow Serving's messages and stubs, without TensorFlow itself.

The generated modules import parts of ``tensorflow.core``, and thereby all of TensorFlow: nine
seconds and 700 MB for a process that computes nothing. The messages themselves need protobuf only.
"""

from __future__ import annotations

import functools
import importlib.util
import sys
import types
from typing import Any


@functools.cache
def serving_apis() -> types.SimpleNamespace:
    """What is used here of ``tensorflow_serving.apis`` and of TensorFlow's messages."""
    borrowed = "tensorflow" not in sys.modules
    if borrowed:
        sys.modules["tensorflow"] = _package_without_code("tensorflow")
    try:
        from tensorflow.core.framework import tensor_pb2, types_pb2
        from tensorflow_serving.apis import (
            get_model_metadata_pb2,
            get_model_status_pb2,
            model_service_pb2_grpc,
            predict_pb2,
            prediction_service_pb2_grpc,
        )
    finally:
        if borrowed:  # whoever imports TensorFlow later gets the real one
            del sys.modules["tensorflow"]
    return types.SimpleNamespace(
        GetModelMetadataRequest=get_model_metadata_pb2.GetModelMetadataRequest,
        GetModelMetadataResponse=get_model_metadata_pb2.GetModelMetadataResponse,
        GetModelStatusRequest=get_model_status_pb2.GetModelStatusRequest,
        GetModelStatusResponse=get_model_status_pb2.GetModelStatusResponse,
        ModelServiceStub=model_service_pb2_grpc.ModelServiceStub,
        PredictRequest=predict_pb2.PredictRequest,
        PredictResponse=predict_pb2.PredictResponse,
        PredictionServiceStub=prediction_service_pb2_grpc.PredictionServiceStub,
        SignatureDefMap=get_model_metadata_pb2.SignatureDefMap,
        State=get_model_status_pb2.ModelVersionStatus.State,
        TensorProto=tensor_pb2.TensorProto,
        types=types_pb2,
    )


def _package_without_code(name: str) -> Any:
    spec = importlib.util.find_spec(name)
    assert spec is not None and spec.submodule_search_locations is not None
    package = types.ModuleType(name)
    package.__path__ = list(spec.submodule_search_locations)
    return package
