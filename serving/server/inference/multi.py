"""MultiInference: several Classify and Regress with one run of the model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tensorflow_serving.apis import inference_pb2, model_pb2

from headrace.serving.server.errors import Code, ServingError
from headrace.serving.server.inference import classification, regression
from headrace.serving.server.inference.common import (
    CLASSIFY,
    DEFAULTS,
    REGRESS,
    InferenceOptions,
    fill_spec,
    invalid,
)
from headrace.serving.server.inference.examples import serialized_examples
from headrace.serving.server.runtime.signatures import DEFAULT_SIGNATURE
from headrace.serving.server.seam import Servable, Signature

_TENSORS: Mapping[str, Callable[[Signature, InferenceOptions], tuple[str, list[str]]]] = {
    CLASSIFY: classification.classification_tensors,
    REGRESS: regression.regression_tensors,
}


async def multi_inference(
    servable: Servable,
    request: inference_pb2.MultiInferenceRequest,
    options: InferenceOptions = DEFAULTS,
) -> inference_pb2.MultiInferenceResponse:
    """Answers several Classify and Regress of one model with one run of it.

    Raises:
        ServingError: as TensorFlow Serving would answer.
    """
    feeds: list[str] = []
    fetches: list[str] = []
    chosen: list[Signature] = []
    for position, task in enumerate(request.tasks):
        _check_task(request.tasks[:position], task.model_spec)
        name = task.model_spec.signature_name or DEFAULT_SIGNATURE
        if name not in servable.signatures:
            raise invalid(f"Requested signature not found in model graph: {name}")
        chosen.append(servable.signatures[name])
        tensors_of = _TENSORS.get(task.method_name)
        if tensors_of is None:
            raise ServingError(
                Code.UNIMPLEMENTED, f"Unsupported signature method_name: {task.method_name}"
            )
        feed, fetched = tensors_of(chosen[-1], options)
        feeds.append(feed)
        fetches += fetched
    examples = serialized_examples(request.input)
    outputs = await servable.run_graph(
        dict.fromkeys(sorted(set(feeds)), examples), sorted(set(fetches))
    )
    response = inference_pb2.MultiInferenceResponse()
    for task, signature in zip(request.tasks, chosen, strict=True):
        result = response.results.add()
        if task.method_name == CLASSIFY:
            classification.fill_classes(
                result.classification_result, signature, len(examples), outputs
            )
        else:
            regression.fill_regressions(result.regression_result, signature, len(examples), outputs)
        fill_spec(result.model_spec, servable, task.model_spec.signature_name)
    return response


def _check_task(before: Any, spec: model_pb2.ModelSpec) -> None:
    if not spec.name:
        raise invalid("Found ModelSpec with an empty model name.")
    if before and before[0].model_spec.name != spec.name:
        raise invalid("All ModelSpecs in a MultiInferenceRequest must access the same model name.")
    name = spec.signature_name or DEFAULT_SIGNATURE
    if any((task.model_spec.signature_name or DEFAULT_SIGNATURE) == name for task in before):
        raise invalid(f"Duplicate evaluation of signature: {name}")
