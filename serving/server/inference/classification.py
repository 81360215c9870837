"""Classify."""

from __future__ import annotations

from collections.abc import Mapping

from tensorflow.core.framework import types_pb2
from tensorflow_serving.apis import classification_pb2

from headrace.serving.server import tensors
from headrace.serving.server.inference.common import (
    CLASSIFY,
    DEFAULTS,
    INPUT,
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

_CLASSES, _SCORES = "classes", "scores"


async def classify(
    servable: Servable,
    request: classification_pb2.ClassificationRequest,
    options: InferenceOptions = DEFAULTS,
) -> classification_pb2.ClassificationResponse:
    """Answers a Classify.

    Raises:
        ServingError: as TensorFlow Serving would answer.
    """
    signature = find(servable, request.model_spec.signature_name)
    feed, fetches = classification_tensors(signature, options)
    examples = serialized_examples(request.input)
    outputs = await servable.run_graph({feed: examples}, fetches)
    response = classification_pb2.ClassificationResponse()
    fill_spec(response.model_spec, servable, request.model_spec.signature_name)
    fill_classes(response.result, signature, len(examples), outputs)
    return response


def classification_tensors(
    signature: Signature, options: InferenceOptions
) -> tuple[str, list[str]]:
    """The tensor to feed, and those to fetch."""
    check_method("classification", CLASSIFY, signature, options)
    if len(signature.inputs) != 1:
        raise invalid("Expected one input Tensor.")
    if len(signature.outputs) not in (1, 2):
        raise invalid(f"Expected one or two output Tensors, found {len(signature.outputs)}")
    if INPUT not in signature.inputs:
        raise invalid(f"No classification inputs found in SignatureDef: {describe(signature)}")
    fetched = [signature.outputs[a].name for a in (_CLASSES, _SCORES) if a in signature.outputs]
    if not fetched:
        raise invalid(
            "Expected classification signature outputs to contain at least one of "
            f'"{_CLASSES}" or "{_SCORES}". Signature was: {describe(signature)}'
        )
    return signature.inputs[INPUT].name, fetched


def fill_classes(
    result: classification_pb2.ClassificationResult,
    signature: Signature,
    examples: int,
    outputs: Mapping[str, Array],
) -> None:
    """Writes the classes of each example into ``result``."""
    classes = _matrix(_CLASSES, types_pb2.DT_STRING, signature, examples, outputs)
    scores = _matrix(_SCORES, types_pb2.DT_FLOAT, signature, examples, outputs)
    if classes is not None and scores is not None and classes.shape[1] != scores.shape[1]:
        raise invalid(
            "Tensors class and score should match in dim_size(1). Got "
            f"{classes.shape[1]} vs. {scores.shape[1]}"
        )
    for row in range(examples):
        entry = result.classifications.add()
        labels = None if classes is None else classes[row].tolist()
        values = None if scores is None else scores[row].tolist()
        for place in range(len(labels if labels is not None else values or ())):
            one = entry.classes.add()
            if labels is not None:
                one.label = labels[place]
            if values is not None:
                one.score = values[place]


def _matrix(
    alias: str, dtype: int, signature: Signature, examples: int, outputs: Mapping[str, Array]
) -> Array | None:
    if alias not in signature.outputs:
        return None
    array = outputs[signature.outputs[alias].name]
    if array.ndim != 2:
        raise invalid(f"Expected Tensor shape: [batch_size num_classes] but got {shape(array)}")
    if tensors.data_type(array) != dtype:
        raise invalid(
            f"Expected {alias} Tensor of {types_pb2.DataType.Name(dtype)}. Got: "
            f"{types_pb2.DataType.Name(tensors.data_type(array))}"
        )
    if len(array) != examples:
        raise invalid(f"Expected {alias} output batch size of {examples}. Got: {len(array)}")
    return array
