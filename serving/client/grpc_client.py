"""TensorFlow Serving's gRPC interface."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self, TypeVar

import grpc
import numpy as np

from headrace.components.shared.errors import HeadraceError
from headrace.components.shared.signatures import RAW_SIGNATURE
from headrace.serving.client.model import Prediction, Signature, signatures_of
from headrace.serving.gateway.errors import (
    DeadlineError,
    InvalidRequestError,
    ModelServerError,
    PredictionError,
    UnauthenticatedError,
    UnknownModelError,
)
from headrace.serving.gateway.model_server import CHANNEL_OPTIONS
from headrace.serving.gateway.protocol import serving_apis
from headrace.serving.gateway.tensor_protos import from_proto, to_proto

_T = TypeVar("_T")


class GrpcClient:
    """A model server over gRPC: one connection for all threads, made when it is first used.

    gRPC itself sends again what the server did not take (UNAVAILABLE), three times in all and
    within the deadline.
    """

    def __init__(
        self,
        address: str = "localhost:8500",
        *,
        deadline: float = 5.0,
        credentials: grpc.ChannelCredentials | None = None,
    ) -> None:
        """Prepares.

        Args:
            address: ``host:port``.
            deadline: Seconds for each call, with all its attempts.
            credentials: For TLS.
        """
        self.address = address
        self._deadline = deadline
        self._apis = serving_apis()
        if credentials is None:
            self._channel = grpc.insecure_channel(address, CHANNEL_OPTIONS)
        else:
            self._channel = grpc.secure_channel(address, credentials, CHANNEL_OPTIONS)
        self._service = self._apis.PredictionServiceStub(self._channel)
        self._models = self._apis.ModelServiceStub(self._channel)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connection."""
        self._channel.close()

    def predict(
        self,
        model: str,
        inputs: Mapping[str, Any],
        *,
        version: int | None = None,
        label: str | None = None,
        signature: str = RAW_SIGNATURE,
        outputs: Sequence[str] = (),
    ) -> Prediction:
        """Asks for a prediction.

        Args:
            model: The model's name.
            inputs: Array (or nested list) by input name, of exactly the types that it takes.
            version: The version; the newest when neither it nor a label is given.
            label: A label that the server gives to a version.
            signature: Which of the model's signatures.
            outputs: Names of the outputs wanted; all when empty.

        Raises:
            UnknownModelError: the server has no such model or version.
            InvalidRequestError: the inputs are not what the model takes.
            ModelServerError: the server does not answer.
            DeadlineError: it takes too long.
            PredictionError: it fails.
        """
        request = self._apis.PredictRequest()
        self._name(request.model_spec, model, version, label)
        request.model_spec.signature_name = signature
        request.output_filter.extend(outputs)
        for name, value in inputs.items():
            to_proto(np.asarray(value), request.inputs[name])
        answer = self._call(self._service.Predict, request)
        arrays = {name: from_proto(proto) for name, proto in sorted(answer.outputs.items())}
        return Prediction(arrays, answer.model_spec.version.value)

    def signatures(
        self, model: str, *, version: int | None = None, label: str | None = None
    ) -> dict[str, Signature]:
        """The model's signatures by name.

        Raises:
            HeadraceError: as for :meth:`predict`.
        """
        request = self._apis.GetModelMetadataRequest(metadata_field=["signature_def"])
        self._name(request.model_spec, model, version, label)
        answer = self._call(self._service.GetModelMetadata, request)
        definitions = self._apis.SignatureDefMap()
        answer.metadata["signature_def"].Unpack(definitions)
        return signatures_of(definitions)

    def states(self, model: str) -> dict[int, str]:
        """State of each version that the server knows, such as AVAILABLE.

        Raises:
            HeadraceError: as for :meth:`predict`.
        """
        request = self._apis.GetModelStatusRequest()
        request.model_spec.name = model
        answer = self._call(self._models.GetModelStatus, request)
        found = answer.model_version_status
        return {status.version: self._apis.State.Name(status.state) for status in found}

    @staticmethod
    def _name(spec: Any, model: str, version: int | None, label: str | None) -> None:
        spec.name = model
        if version is not None:
            spec.version.value = version
        elif label is not None:
            spec.version_label = label

    def _call(self, method: Callable[..., _T], request: Any) -> _T:
        try:
            return method(request, timeout=self._deadline)
        except grpc.RpcError as error:
            raise self._explained(error) from None

    def _explained(self, error: Any) -> HeadraceError:
        code, details = error.code(), error.details() or ""
        codes = grpc.StatusCode
        place = f"The model server at {self.address}"
        if code == codes.NOT_FOUND:
            return UnknownModelError(f"{place} says: {details}", fix="Check model and version.")
        if code in (codes.INVALID_ARGUMENT, codes.FAILED_PRECONDITION, codes.OUT_OF_RANGE):
            return InvalidRequestError(
                f"{place} refused: {details}",
                fix="Compare names, types and shapes with the model's signatures.",
            )
        if code == codes.DEADLINE_EXCEEDED:
            return DeadlineError(
                f"{place} did not answer within {self._deadline:g} seconds.",
                fix="Send fewer rows, or allow more time.",
            )
        if code in (codes.UNAVAILABLE, codes.RESOURCE_EXHAUSTED):
            return ModelServerError(
                f"{place} is down or too busy: {details}",
                fix="Check that it runs and listens there for gRPC; REST has another port.",
            )
        if code in (codes.UNAUTHENTICATED, codes.PERMISSION_DENIED):
            return UnauthenticatedError(f"{place} refused: {details}", fix="Give credentials.")
        return PredictionError(
            f"{place} failed: {code.name}: {details}", fix="Its log may say more."
        )
