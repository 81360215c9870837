"""The least that a gRPC server in Python does: ``python -m benchmarks.serving.echo PORT THREADS``.

grpcio with a pool of threads; the method parses a ``PredictRequest`` and answers a
``PredictResponse``, which is serialized anew for each request. The response comes on standard
input, so that it is as large as a model server's.
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from tensorflow_serving.apis import predict_pb2


def serve(port: int, threads: int, answer: predict_pb2.PredictResponse) -> None:
    """Serves until the process ends."""

    def predict(request: Any, context: grpc.ServicerContext) -> Any:
        return answer

    method = grpc.unary_unary_rpc_method_handler(
        predict,
        request_deserializer=predict_pb2.PredictRequest.FromString,
        response_serializer=predict_pb2.PredictResponse.SerializeToString,
    )
    server = grpc.server(ThreadPoolExecutor(threads))
    server.add_generic_rpc_handlers(
        [
            grpc.method_handlers_generic_handler(
                "tensorflow.serving.PredictionService", {"Predict": method}
            )
        ]
    )
    server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    server.wait_for_termination()


if __name__ == "__main__":
    given_port, given_threads = map(int, sys.argv[1:])
    given_answer = predict_pb2.PredictResponse.FromString(sys.stdin.buffer.read())
    serve(given_port, given_threads, given_answer)
