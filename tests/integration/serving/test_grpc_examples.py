"""Classify, Regress, MultiInference and metadata over gRPC."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc
import pytest
import tensorflow as tf
from google.protobuf.message import Message
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    regression_pb2,
)

CLASSIFY, REGRESS = "tensorflow/serving/classify", "tensorflow/serving/regress"


def refused(call: Callable[[Any], Any], request: Message, code: str, text: str) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        call(request)
    assert caught.value.code().name == code
    assert text in caught.value.details()


def example(**features: float) -> tf.train.Example:
    return tf.train.Example(
        features=tf.train.Features(
            feature={
                name: tf.train.Feature(float_list=tf.train.FloatList(value=[value]))
                for name, value in features.items()
            }
        )
    )


def ask(kind: Any, signature: str, *examples: tf.train.Example) -> Any:
    request = kind()
    request.model_spec.name = "examples"
    request.model_spec.signature_name = signature
    request.input.example_list.examples.extend(examples)
    return request


def classification(signature: str, *examples: tf.train.Example) -> Any:
    return ask(classification_pb2.ClassificationRequest, signature, *examples)


def regression(signature: str, *examples: tf.train.Example) -> Any:
    return ask(regression_pb2.RegressionRequest, signature, *examples)


def test_regress(shared: Any) -> None:
    answer = shared.clients.prediction.Regress(regression("regress", example(x=2), example(x=4)))

    assert [one.value for one in answer.result.regressions] == [3.0, 4.0]
    assert answer.model_spec.signature_name == "regress"
    assert answer.model_spec.version.value == 1


def test_classify(shared: Any) -> None:
    answer = shared.clients.prediction.Classify(classification("classify", example(x=2)))

    classes = answer.result.classifications[0].classes
    assert [(one.label, one.score) for one in classes] == [("low", -3.0), ("high", 3.0)]


def test_classify_without_labels(shared: Any) -> None:
    answer = shared.clients.prediction.Classify(classification("scores_only", example(x=2)))

    classes = answer.result.classifications[0].classes
    assert [(one.label, one.score) for one in classes] == [("", 3.0)]


def test_context_is_merged_into_each_example(shared: Any) -> None:
    request = regression("regress")
    both = request.input.example_list_with_context
    both.context.CopyFrom(example(b=100))
    both.examples.extend([example(x=2), example(x=4)])

    answer = shared.clients.prediction.Regress(request)

    assert [one.value for one in answer.result.regressions] == [103.0, 104.0]


@pytest.mark.parametrize(
    ("method", "request_", "text"),
    [
        ("Regress", regression("regress"), "Input is empty."),
        ("Regress", regression("no", example(x=1)), "No signature was found with the name: no"),
        (
            "Regress",
            regression("wrong_shape", example(x=1)),
            "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] "
            "but got [1,2]",
        ),
        ("Regress", regression("classify", example(x=1)), "Expected one output Tensor."),
        (
            "Regress",
            regression("scores_only", example(x=1)),
            "No regression outputs found in SignatureDef: ",
        ),
        (
            "Classify",
            classification("regress", example(x=1)),
            "Expected classification signature outputs to contain at least one of",
        ),
        ("Regress", regression_pb2.RegressionRequest(), "Missing ModelSpec"),
        ("Classify", classification_pb2.ClassificationRequest(), "Missing ModelSpec"),
    ],
)
def test_refusals(shared: Any, method: str, request_: Message, text: str) -> None:
    refused(getattr(shared.clients.prediction, method), request_, "INVALID_ARGUMENT", text)


def multi(*tasks: tuple[str, str, str]) -> inference_pb2.MultiInferenceRequest:
    request = inference_pb2.MultiInferenceRequest()
    for model, signature, method in tasks:
        task = request.tasks.add(method_name=method)
        task.model_spec.name = model
        task.model_spec.signature_name = signature
    request.input.example_list.examples.extend([example(x=2)])
    return request


def test_multi_inference(shared: Any) -> None:
    answer = shared.clients.prediction.MultiInference(
        multi(("examples", "regress", REGRESS), ("examples", "classify", CLASSIFY))
    )

    regress, classify = answer.results
    assert regress.regression_result.regressions[0].value == 3.0
    assert classify.classification_result.classifications[0].classes[1].score == 3.0
    assert [one.model_spec.signature_name for one in answer.results] == ["regress", "classify"]
    assert {one.model_spec.version.value for one in answer.results} == {1}


@pytest.mark.parametrize(
    ("tasks", "code", "text"),
    [
        ([], "INVALID_ARGUMENT", "ModelSpec has no name specified."),
        (
            [("examples", "regress", REGRESS), ("", "classify", CLASSIFY)],
            "INVALID_ARGUMENT",
            "Found ModelSpec with an empty model name.",
        ),
        (
            [("examples", "regress", REGRESS), ("half", "", REGRESS)],
            "INVALID_ARGUMENT",
            "All ModelSpecs in a MultiInferenceRequest must access the same model name.",
        ),
        (
            [("examples", "regress", REGRESS), ("examples", "regress", REGRESS)],
            "INVALID_ARGUMENT",
            "Duplicate evaluation of signature: regress",
        ),
        (
            [("examples", "no", REGRESS)],
            "INVALID_ARGUMENT",
            "Requested signature not found in model graph: no",
        ),
        (
            [("examples", "regress", "tensorflow/serving/predict")],
            "UNIMPLEMENTED",
            "Unsupported signature method_name: tensorflow/serving/predict",
        ),
    ],
)
def test_multi_inference_refusals(
    shared: Any, tasks: list[tuple[str, str, str]], code: str, text: str
) -> None:
    refused(shared.clients.prediction.MultiInference, multi(*tasks), code, text)


def test_method_names_are_checked_only_when_asked(serve: Any, base_path: Any) -> None:
    running = serve(
        f"--model_base_path={base_path('m', {1: 'examples'})}",
        "--model_name=examples",
        "--enable_signature_method_name_check",
    )
    refused(
        running.clients.prediction.Classify,
        classification("scores_only", example(x=1)),
        "INVALID_ARGUMENT",
        f"Expected classification signature method_name to be {CLASSIFY}. "
        "Was: tensorflow/serving/predict",
    )
    answer = running.clients.prediction.Regress(regression("", example(x=2)))

    assert answer.result.regressions[0].value == 3.0
    assert answer.model_spec.signature_name == "serving_default"


def test_metadata(shared: Any) -> None:
    request = get_model_metadata_pb2.GetModelMetadataRequest()
    refused(
        shared.clients.prediction.GetModelMetadata, request, "INVALID_ARGUMENT", "Missing ModelSpec"
    )
    request.model_spec.name = "half"
    refused(
        shared.clients.prediction.GetModelMetadata,
        request,
        "INVALID_ARGUMENT",
        "GetModelMetadataRequest must specify at least one metadata_field",
    )
    request.metadata_field.append("assets")
    refused(
        shared.clients.prediction.GetModelMetadata,
        request,
        "INVALID_ARGUMENT",
        "Metadata field assets is not supported",
    )
    request.metadata_field[:] = ["signature_def"]
    answer = shared.clients.prediction.GetModelMetadata(request)
    signatures = get_model_metadata_pb2.SignatureDefMap()
    assert answer.metadata["signature_def"].Unpack(signatures)

    assert answer.model_spec.version.value == 1
    assert answer.model_spec.signature_name == ""
    assert sorted(signatures.signature_def["two"].inputs) == ["a", "b"]


def test_status(shared: Any) -> None:
    request = get_model_status_pb2.GetModelStatusRequest()
    call = shared.clients.management.GetModelStatus
    refused(call, request, "INVALID_ARGUMENT", "Missing ModelSpec")
    request.model_spec.name = "nothing"
    refused(call, request, "NOT_FOUND", "Could not find any versions of model nothing")
    request.model_spec.name = "half"
    request.model_spec.version.value = 7
    refused(call, request, "NOT_FOUND", "Could not find version 7 of model half")
    request.model_spec.version_label = "ignored"
    (status,) = call(request).model_version_status

    assert (status.version, status.state, status.status.error_code) == (1, 30, 0)
