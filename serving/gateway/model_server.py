"""The model server over gRPC, in TensorFlow Serving's protocol."""

from __future__ import annotations

import json
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Any, TypeVar

import grpc

from headrace.serving.gateway.errors import (
    DeadlineError,
    ModelServerError,
    PredictionError,
    VersionGoneError,
)
from headrace.serving.gateway.protocol import serving_apis

_T = TypeVar("_T")

#: Asking again is safe: a prediction changes nothing. Only what was not answered is asked again.
_RETRIES = {
    "methodConfig": [
        {
            "name": [
                {"service": "tensorflow.serving.PredictionService"},
                {"service": "tensorflow.serving.ModelService"},
            ],
            "retryPolicy": {
                "maxAttempts": 3,
                "initialBackoff": "0.02s",
                "maxBackoff": "0.2s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE"],
            },
        }
    ]
}
#: What every client of a model server wants of its connection.
CHANNEL_OPTIONS = [
    ("grpc.service_config", json.dumps(_RETRIES)),
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    # A server that comes back is found within a second.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
]


@dataclass(frozen=True)
class Signature:
    """What a version of a model takes and gives.

    Attributes:
        name: The signature's name.
        inputs: Type of each input tensor by name, as TensorFlow's ``DataType``.
        outputs: Names of the outputs.
    """

    name: str
    inputs: dict[str, int]
    outputs: tuple[str, ...]


class ModelServer:
    """A client for many requests at once; belongs to the event loop in which it was made."""

    def __init__(self, address: str) -> None:
        """Prepares a connection, which is made when it is first used.

        Args:
            address: ``host:port`` of the server's gRPC interface.
        """
        self._apis = serving_apis()
        self.address = address
        self._channel = grpc.aio.insecure_channel(address, options=CHANNEL_OPTIONS)
        self._predict = self._apis.PredictionServiceStub(self._channel)
        self._models = self._apis.ModelServiceStub(self._channel)

    async def predict(self, request: Any, timeout: float) -> Any:
        """Sends a ``PredictRequest``.

        Raises:
            VersionGoneError: the server does not have that version.
            ModelServerError: it does not answer.
            DeadlineError: it takes longer than ``timeout`` seconds.
            PredictionError: it refuses.
        """
        return await self._explained(self._predict.Predict(request, timeout=timeout))

    async def states(self, model: str, timeout: float) -> dict[int, str]:
        """State of each version that the server knows, such as AVAILABLE.

        Raises:
            ModelServerError: the server does not answer.
            VersionGoneError: it does not know the model.
        """
        request = self._apis.GetModelStatusRequest()
        request.model_spec.name = model
        answer = await self._explained(self._models.GetModelStatus(request, timeout=timeout))
        return {
            status.version: self._apis.State.Name(status.state)
            for status in answer.model_version_status
        }

    async def signature(self, model: str, version: int, name: str, timeout: float) -> Signature:
        """A signature of a version.

        Raises:
            PredictionError: the version has no such signature.
            ModelServerError: the server does not answer.
        """
        request = self._apis.GetModelMetadataRequest(metadata_field=["signature_def"])
        request.model_spec.name, request.model_spec.version.value = model, version
        answer = await self._explained(self._predict.GetModelMetadata(request, timeout=timeout))
        signatures = self._apis.SignatureDefMap()
        answer.metadata["signature_def"].Unpack(signatures)
        if name not in signatures.signature_def:
            known = ", ".join(sorted(signatures.signature_def))
            raise PredictionError(
                f"Version {version} of model {model!r} has no signature {name!r}, but {known}.",
                fix="Set `signature` in gateway.yaml to one that takes named tensors.",
            )
        found = signatures.signature_def[name]
        inputs = {alias: info.dtype for alias, info in found.inputs.items()}
        return Signature(name, dict(sorted(inputs.items())), tuple(sorted(found.outputs)))

    async def close(self) -> None:
        """Closes the connection."""
        await self._channel.close()

    async def _explained(self, call: Awaitable[_T]) -> _T:
        try:
            return await call
        except grpc.aio.AioRpcError as error:
            raise self._error(error.code(), error.details() or "") from None

    def _error(self, code: Any, details: str) -> Exception:
        codes = grpc.StatusCode
        if code == codes.NOT_FOUND:
            return VersionGoneError(
                f"The model server at {self.address} says: {details}.",
                fix="Check its model_name and model_base_path.",
            )
        if code == codes.DEADLINE_EXCEEDED:
            return DeadlineError(
                f"The model server at {self.address} did not answer in time.",
                fix="Ask for fewer rows, or raise limits.deadline_seconds in gateway.yaml.",
            )
        if code in (codes.UNAVAILABLE, codes.RESOURCE_EXHAUSTED):
            return ModelServerError(
                f"The model server at {self.address} is down or too busy: {details}.",
                fix="Try again in a second. Check that it runs, and `server` in gateway.yaml.",
            )
        return PredictionError(
            f"The model server at {self.address} refused: {code.name}: {details}",
            fix="The model and its manifest may not belong together: push it again.",
        )
