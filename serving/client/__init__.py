"""Clients of a model server (gRPC and REST) and of the gateway; they need no TensorFlow.

One client keeps its connections and serves many threads. Predictions change nothing, so what
did not arrive is sent again; what took too long is not.
"""

from headrace.serving.client.columns import columns_of, rows_of
from headrace.serving.client.gateway_client import GatewayClient
from headrace.serving.client.grpc_client import GrpcClient
from headrace.serving.client.model import Prediction, Signature, TensorSpec
from headrace.serving.client.rest_client import RestClient

__all__ = [
    "GatewayClient",
    "GrpcClient",
    "Prediction",
    "RestClient",
    "Signature",
    "TensorSpec",
    "columns_of",
    "rows_of",
]
