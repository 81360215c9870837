"""Predict."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tensorflow_serving.apis import predict_pb2

from headrace.serving.server import tensors
from headrace.serving.server.errors import Code, ServingError
from headrace.serving.server.inference.common import (
    CLASSIFY,
    DEFAULTS,
    PREDICT,
    REGRESS,
    InferenceOptions,
    fill_spec,
    invalid,
)
from headrace.serving.server.runtime.signatures import DEFAULT_SIGNATURE
from headrace.serving.server.seam import Array, Servable, Signature


class _Inputs(Mapping[str, Array]):
    """A request's tensors, parsed when they are asked for."""

    def __init__(self, protos: Mapping[str, Any]) -> None:
        self._protos = protos

    def __getitem__(self, alias: str) -> Array:
        try:
            return tensors.from_proto(self._protos[alias])
        except tensors.TensorError:
            raise invalid(f"tensor parsing error: {alias}") from None

    def __contains__(self, alias: object) -> bool:
        return alias in self._protos

    def __iter__(self) -> Iterator[str]:
        return iter(self._protos)

    def __len__(self) -> int:
        return len(self._protos)


async def predict(
    servable: Servable,
    request: predict_pb2.PredictRequest,
    options: InferenceOptions = DEFAULTS,
) -> predict_pb2.PredictResponse:
    """Answers a Predict.

    Raises:
        ServingError: as TensorFlow Serving would answer.
    """
    name = request.model_spec.signature_name or DEFAULT_SIGNATURE
    if options.check_method_name and name in servable.signatures:
        _check_predictable(servable.signatures[name])
    outputs = await servable.run(name, _Inputs(request.inputs), request.output_filter)
    response = predict_pb2.PredictResponse()
    fill_spec(response.model_spec, servable, name)
    for alias, array in outputs.items():
        tensors.to_proto(array, response.outputs[alias], as_content=options.tensor_content)
    return response


def _check_predictable(signature: Signature) -> None:
    if signature.method_name not in (PREDICT, CLASSIFY, REGRESS):
        raise ServingError(
            Code.INTERNAL,
            "Expected prediction signature method_name to be one of "
            f"{{{PREDICT}, {CLASSIFY}, {REGRESS}}}. Was: {signature.method_name}",
        )
