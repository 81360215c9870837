"""A model server that speaks TensorFlow Serving's protocol over real gRPC, and obeys the tests.

Its model is arithmetic, so that a test knows what must come out: the sum of its numbers times the
version, missing ones left out.
"""

from __future__ import annotations

import math
import time
from concurrent.futures import ThreadPoolExecutor

import grpc

from headrace.components.shared.signatures import MISSING_INT
from headrace.serving.gateway.protocol import serving_apis

APIS = serving_apis()
INPUTS = {
    "city": "DT_STRING",
    "rate": "DT_FLOAT",
    "trips": "DT_INT64",
    "rating": "DT_FLOAT",
    "load": "DT_FLOAT",
    "effort": "DT_FLOAT",
    "long_way": "DT_INT64",
}


def score(version, inputs):
    numbers = [value for name, value in inputs.items() if name != "city"]
    there = [n for n in numbers if n is not None and not math.isnan(n) and n != MISSING_INT]
    return sum(there) * version


class ModelServer:
    """Versions can be loaded and unloaded; the server can be stopped, restarted and slowed down."""

    def __init__(self, name, port, versions=(1,)):
        self.name = name
        self.port = port
        self.versions = set(versions)
        self.delay = 0.0
        self.calls = []
        self._server = None

    def start(self):
        self._server = grpc.server(
            ThreadPoolExecutor(8), options=[("grpc.so_reuseport", 0)], handlers=[_Handler(self)]
        )
        assert self._server.add_insecure_port(f"127.0.0.1:{self.port}")
        self._server.start()
        return self

    def stop(self):
        if self._server is not None:
            self._server.stop(None).wait()
            self._server = None

    def predict(self, request, context):
        spec = request.model_spec
        version = spec.version.value
        time.sleep(self.delay)
        if version not in self.versions:
            context.abort(
                grpc.StatusCode.NOT_FOUND,
                f"Servable not found for request: Specific({spec.name}, {version})",
            )
        fields = {"DT_STRING": "string_val", "DT_FLOAT": "float_val", "DT_INT64": "int64_val"}
        columns = {
            name: list(getattr(request.inputs[name], fields[kind])) for name, kind in INPUTS.items()
        }
        rows = [
            dict(zip(columns, values, strict=True))
            for values in zip(*columns.values(), strict=True)
        ]
        self.calls.append((version, rows))
        answer = APIS.PredictResponse()
        answer.model_spec.CopyFrom(spec)
        output = answer.outputs["score"]
        output.dtype = APIS.types.DT_FLOAT
        output.tensor_shape.dim.add(size=len(rows))
        output.float_val.extend(score(version, row) for row in rows)
        return answer

    def metadata(self, request, context):
        answer = APIS.GetModelMetadataResponse()
        answer.model_spec.CopyFrom(request.model_spec)
        signatures = APIS.SignatureDefMap()
        signature = signatures.signature_def["raw_tensors"]
        for name, kind in INPUTS.items():
            signature.inputs[name].dtype = APIS.types.DataType.Value(kind)
        signature.outputs["score"].dtype = APIS.types.DT_FLOAT
        answer.metadata["signature_def"].Pack(signatures)
        return answer

    def status(self, request, context):
        answer = APIS.GetModelStatusResponse()
        for version in sorted(self.versions):
            answer.model_version_status.add(version=version, state=APIS.State.Value("AVAILABLE"))
        return answer


class _Handler(grpc.GenericRpcHandler):
    def __init__(self, server):
        prefix = "/tensorflow.serving."
        self._methods = {
            f"{prefix}PredictionService/Predict": (server.predict, APIS.PredictRequest),
            f"{prefix}PredictionService/GetModelMetadata": (
                server.metadata,
                APIS.GetModelMetadataRequest,
            ),
            f"{prefix}ModelService/GetModelStatus": (server.status, APIS.GetModelStatusRequest),
        }

    def service(self, details):
        found = self._methods.get(details.method)
        if found is None:
            return None
        method, request = found
        return grpc.unary_unary_rpc_method_handler(
            method,
            request_deserializer=request.FromString,
            response_serializer=lambda message: message.SerializeToString(),
        )
