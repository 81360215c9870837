"""Regress."""

from __future__ import annotations

from collections.abc import Mapping

from tensorflow.core.framework import types_pb2
from tensorflow_serving.apis import regression_pb2

from headrace.serving.server import tensors
from headrace.serving.server.inference.common import (
    DEFAULTS,
    INPUT,
    REGRESS,
    InferenceOptions,
    check_method,
    describe,
    fill_spec,
    find,
    invalid,
    shape,
)
from headrace.serving.server.inference.examples import serialized_examples
from headrace.serving.server.seam import Array, Servable, Signature

_OUTPUT = "outputs"


async def regress(
    servable: Servable,
    request: regression_pb2.RegressionRequest,
    options: InferenceOptions = DEFAULTS,
) -> regression_pb2.RegressionResponse:
    """Answers a Regress.

    Raises:
        ServingError: as TensorFlow Serving would answer.
    """
    signature = find(servable, request.model_spec.signature_name)
    feed, fetches = regression_tensors(signature, options)
    examples = serialized_examples(request.input)
    outputs = await servable.run_graph({feed: examples}, fetches)
    response = regression_pb2.RegressionResponse()
    fill_spec(response.model_spec, servable, request.model_spec.signature_name)
    fill_regressions(response.result, signature, len(examples), outputs)
    return response


def regression_tensors(signature: Signature, options: InferenceOptions) -> tuple[str, list[str]]:
    """The tensor to feed, and the one to fetch."""
    check_method("regression", REGRESS, signature, options)
    if len(signature.inputs) != 1:
        raise invalid("Expected one input Tensor.")
    if len(signature.outputs) != 1:
        raise invalid("Expected one output Tensor.")
    if INPUT not in signature.inputs:
        raise invalid(f"No regression inputs found in SignatureDef: {describe(signature)}")
    if _OUTPUT not in signature.outputs:
        raise invalid(f"No regression outputs found in SignatureDef: {describe(signature)}")
    return signature.inputs[INPUT].name, [signature.outputs[_OUTPUT].name]


def fill_regressions(
    result: regression_pb2.RegressionResult,
    signature: Signature,
    examples: int,
    outputs: Mapping[str, Array],
) -> None:
    """Writes the value of each example into ``result``."""
    array = outputs[signature.outputs[_OUTPUT].name]
    if not (array.ndim == 1 or (array.ndim == 2 and array.shape[1] == 1)):
        raise invalid(
            "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got "
            f"{shape(array)}"
        )
    if len(array) != examples:
        raise invalid(
            f"Input batch size did not match output batch size: {examples} vs. {len(array)}"
        )
    if tensors.data_type(array) != types_pb2.DT_FLOAT:
        raise invalid(
            "Expected output Tensor of DT_FLOAT.  Got: "
            f"{types_pb2.DataType.Name(tensors.data_type(array))}"
        )
    for value in array.ravel().tolist():
        result.regressions.add().value = value
