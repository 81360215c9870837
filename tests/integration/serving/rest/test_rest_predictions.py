"""Predictions over REST from a running server, one test per rule of TensorFlow Serving's."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest

from .client import HALF, HALF_ANSWER

# Predict


def test_several_inputs_and_outputs(post: Any) -> None:
    two = {"signature_name": "two", "instances": [{"a": 1, "b": 2}, {"a": 3, "b": 5}]}
    # One output has no rows: the answer to rows cannot hold it, the one to columns can.
    assert post("/v1/models/half:predict", two).error == (
        400,
        "Tensor name: scale has no shape information ",
    )
    columns = {"signature_name": "two", "inputs": {"a": [1, 3], "b": [2, 5], "c": "ignored"}}
    answer = post("/v1/models/half:predict", columns)
    assert answer.document == {
        "outputs": {"sum": [3.0, 8.0], "difference": [-1.0, -2.0], "scale": 0.5}
    }


def test_columns_of_one_input(post: Any) -> None:
    answer = post("/v1/models/half:predict", {"inputs": [1.0, 2.0]})
    assert answer.body == b'{\n    "outputs": [\n        2.5,\n        3.0\n    ]\n}'
    assert post("/v1/models/half:predict", {"inputs": {"x": [1.0]}}).document == {"outputs": [2.5]}


@pytest.mark.parametrize(
    ("signature", "text"),
    [
        ("float32", "[1, -0.5, 1e39, -Infinity, NaN, 0.1, 9000000]"),
        ("float64", "[1e300, 0.1, Infinity]"),
        ("int8", "[-128, 127]"),
        ("int16", "[-32768]"),
        ("int32", "[2147483647]"),
        ("int64", "[-9223372036854775808]"),
        ("uint8", "[255]"),
        ("uint32", "[4294967295]"),
        ("uint64", "[18446744073709551615]"),
        ("bool", "[true, false]"),
        ("string", '["a", "\\u00e9\\n"]'),
    ],
)
def test_each_type_goes_in_and_out(post: Any, signature: str, text: str) -> None:
    body = f'{{"signature_name": "{signature}", "inputs": {text}}}'
    echoed = post("/v1/models/types:predict", body).document["outputs"]["y"]
    expected = [math.inf if value == 1e39 else value for value in json.loads(text)]
    assert list(map(repr, echoed)) == [
        repr(float(value) if "float" in signature else value) for value in expected
    ]


@pytest.mark.parametrize("signature", ["half", "bfloat16", "uint16", "complex64"])
def test_types_that_json_does_not_send(post: Any, signature: str) -> None:
    body = {"signature_name": signature, "inputs": [1]}
    assert post("/v1/models/types:predict", body).error == (
        501,
        f"Conversion of JSON Value: 1 to type: {signature}",
    )


def test_signatures_that_are_not_there(post: Any) -> None:
    body = {"signature_name": "none", **HALF}
    assert post("/v1/models/half:predict", body).error == (
        400,
        'Serving signature name: "none" not found in signature def',
    )
    assert (
        "'signature_name' key must be a string value."
        in (post("/v1/models/half:predict", {"signature_name": 1}).error[1])
    )


def test_values_that_do_not_fit_are_told(post: Any) -> None:
    answer = post("/v1/models/half:predict", {"instances": [1, "x"]})
    assert answer.error == (
        400,
        "Failed to process element: 1 of 'instances' list. Error: INVALID_ARGUMENT: "
        'JSON Value: "x" Type: String is not of expected type: float',
    )


def test_what_the_model_cannot_compute_is_the_clients_fault(post: Any) -> None:
    body = {"signature_name": "two", "inputs": {"a": [1, 2], "b": [1, 2, 3]}}
    status, text = post("/v1/models/half:predict", body).error
    assert status == 400
    assert "Incompatible shapes: [2] vs. [3]" in text
    assert "Traceback" not in text


def test_no_rows_come_back_as_no_rows(post: Any) -> None:
    answer = post("/v1/models/types:predict", {"signature_name": "float32", "inputs": []})
    assert answer.document == {"outputs": {"y": [], "y_bytes": []}}


def test_large_and_deep_requests_are_answered(post: Any) -> None:
    rows = post("/v1/models/half:predict", {"instances": [1.0] * 200_000})
    assert len(rows.document["predictions"]) == 200_000
    deep = '{"instances": [1.0, 2.0], "x": ' + "[" * 100_000 + "]" * 100_000 + "}"
    assert post("/v1/models/half:predict", deep).body == HALF_ANSWER
    # As many dimensions as numpy has; TensorFlow's graphs have more than enough with them.
    body = '{"signature_name": "float32", "inputs": ' + "[" * 65 + "1" + "]" * 65 + "}"
    assert post("/v1/models/types:predict", body).error == (400, "tensor parsing error: x")


# Classify and regress


def test_regress(post: Any) -> None:
    body = {"examples": [{"x": 80.0}, {"x": [20.0]}]}
    answer = post("/v1/models/examples:regress", body)
    assert answer.body == b'{\n    "results": [42.0, 12.0]\n}'


def test_classify_with_a_context(post: Any) -> None:
    body = {
        "signature_name": "classify",
        "context": {"b": 1.0},
        "examples": [{"x": 20.0}, {"x": 10.0, "other": ["text", {"b64": "YQ=="}]}],
    }
    answer = post("/v1/models/examples/versions/1:classify", body)
    assert answer.body == (
        b'{\n    "results": [[["low", -13.0], ["high", 13.0]], [["low", -8.0], ["high", 8.0]]\n'
        b"    ]\n}"
    )
    unlabelled = {"signature_name": "scores_only", "examples": [{"x": 20.0}]}
    assert post("/v1/models/examples:classify", unlabelled).document == {"results": [[["", 12.0]]]}


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ('{"signature_name": ["a"], "examples": [{}]}', "'signature_name' key must be a string"),
        ('{"context": [{"x": 1}]}', "Example must be JSON object but got JSON Array"),
        ("{}", "key 'examples' is expected and was not found"),
        ('{"examples": {"x": 1}}', "Expecting 'examples' value to be an list/array"),
        ('{"examples": []}', "'examples' value is an empty array"),
        ('{"examples": [[{"x": 1}]]}', "Example must be JSON object but got JSON Array"),
        ('{"examples": [{"x": [1, null]}]}', "x has element with unexpected JSON type: Null"),
        ('{"examples": [{"x": [1, 1.0]}]}', "in feature: x expecting type: int64"),
        ('{"examples": [{"x": [1.0, true]}]}', "in feature: x expecting type: float"),
        ('{"examples": [{"x": ["a", 1]}]}', "in feature: x expecting type: bytes"),
        ('{"examples": [{"x": {"y": 1}}]}', "x has element with unexpected JSON type: Object"),
        ('{"examples": [{"x": [[1]]}]}', "x has element with unexpected JSON type: Array"),
        ('{"examples": [{"x": 18446744073709551603}]}', "Only int64_t is supported."),
        ('{"signature_name": "none", "examples": [{}]}', "signature"),
    ],
)
@pytest.mark.parametrize("method", ["classify", "regress"])
def test_examples_that_are_none_are_told(post: Any, method: str, body: str, text: str) -> None:
    status, message = post(f"/v1/models/examples:{method}", body).error
    assert status == 400
    assert text in message
