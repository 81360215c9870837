"""Predict requests: values, types, shapes and error texts."""

from __future__ import annotations

import numpy as np
import pytest

from headrace.serving.server.errors import ServingError
from headrace.serving.server.rest.codec import dtypes
from headrace.serving.server.rest.codec.json_reader import read_object
from headrace.serving.server.rest.codec.predict_request import (
    Form,
    read_predict,
    read_signature_name,
)
from headrace.serving.server.seam import Array, TensorSpec

HALF = 19


def read(body: str | bytes, **types: int) -> dict[str, Array]:
    inputs = {alias: TensorSpec(f"{alias}:0", dtype, None) for alias, dtype in types.items()}
    return read_predict(read_object(body.encode() if isinstance(body, str) else body), inputs)[0]


def error(body: str, **types: int) -> str:
    with pytest.raises(ServingError) as caught:
        read(body, **types)
    return str(caught.value)


def same(array: Array, expected: Array) -> None:
    np.testing.assert_array_equal(array, expected)
    assert array.dtype == expected.dtype
    assert array.shape == expected.shape


def test_rows_become_a_batch() -> None:
    same(
        read('{"instances": [[1, 2], [3, 4], [5, 6]]}', x=dtypes.INT32)["x"],
        np.array([[1, 2], [3, 4], [5, 6]], np.int32),
    )
    arrays = read(
        '{"instances": [{"s": ["a", {"b64": "Yg=="}], "f": NaN}, {"f": -Inf, "s": ["c", "d"]}]}',
        f=dtypes.FLOAT,
        s=dtypes.STRING,
    )
    same(arrays["f"], np.array([np.nan, -np.inf], np.float32))
    same(arrays["s"], np.array([[b"a", b"b"], [b"c", b"d"]], object))


def test_columns_are_taken_as_they_are() -> None:
    same(read('{"inputs": [[1, 2]]}', x=dtypes.INT64)["x"], np.array([[1, 2]], np.int64))
    same(read('{"inputs": {"b64": "aGVsbG8="}}', x=dtypes.STRING)["x"], np.array(b"hello", object))
    arrays = read('{"inputs": {"a": 1, "b": [true], "more": 1}}', a=dtypes.DOUBLE, b=dtypes.BOOL)
    same(arrays["a"], np.array(1.0))
    same(arrays["b"], np.array([True]))


def test_the_answer_has_the_form_of_the_request() -> None:
    inputs = {"x": TensorSpec("x:0", dtypes.FLOAT, None)}
    assert read_predict({"instances": [1]}, inputs)[1] is Form.ROWS
    assert read_predict({"inputs": [1]}, inputs)[1] is Form.COLUMNS


@pytest.mark.parametrize(
    ("dtype", "values", "expected"),
    [
        (dtypes.FLOAT, "[1, 2.5, 1435774380, 1e39, -1e39, 1e-60]", None),
        (dtypes.UINT8, "[255, 256, -1]", np.array([255, 0, 255], np.uint8)),
        (dtypes.INT8, "[127, 128]", np.array([127, -128], np.int8)),
        (dtypes.UINT64, "[18446744073709551615]", np.array([2**64 - 1], np.uint64)),
        (dtypes.INT64, "[-9223372036854775808]", np.array([-(2**63)], np.int64)),
        (dtypes.UINT32, "[4294967295]", np.array([2**32 - 1], np.uint32)),
    ],
)
def test_numbers_at_the_limits_of_their_types(
    dtype: int, values: str, expected: Array | None
) -> None:
    if expected is None:
        expected = np.array([1, 2.5, 1435774380, np.inf, -np.inf, 0], np.float32)
    same(read(f'{{"instances": {values}}}', x=dtype)["x"], expected)


@pytest.mark.parametrize(
    ("dtype", "value", "name"),
    [
        (dtypes.FLOAT, '"1.5"', "float"),
        (dtypes.FLOAT, "true", "float"),
        (dtypes.FLOAT, "null", "float"),
        (dtypes.FLOAT, '{"b64": "YQ=="}', "float"),
        (dtypes.DOUBLE, "false", "double"),
        (dtypes.INT32, "1.5", "int32"),
        (dtypes.INT32, "1.0", "int32"),
        (dtypes.INT32, "true", "int32"),
        (dtypes.INT32, "2147483648", "int32"),
        (dtypes.INT16, "2147483648", "int16"),
        (dtypes.INT64, "9223372036854775808", "int64"),
        (dtypes.UINT32, "-1", "uint32"),
        (dtypes.UINT64, "-1", "uint64"),
        (dtypes.BOOL, "1", "bool"),
        (dtypes.STRING, "1", "string"),
    ],
)
def test_values_of_another_type_are_refused(dtype: int, value: str, name: str) -> None:
    assert f"is not of expected type: {name}" in error(f'{{"inputs": [{value}]}}', x=dtype)


WRONG = [
    (
        "{}",
        {"x": dtypes.INT32},
        "INVALID_ARGUMENT: Missing 'inputs' or 'instances' key",
    ),
    (
        '{"instances": [1], "inputs": [1]}',
        {"x": dtypes.INT32},
        "Not formatted correctly expecting only one of 'inputs' or 'instances' keys to exist ",
    ),
    ('{"inputs": [1]}', {}, "Failed to get input map for signature: DEFAULT"),
    ('{"signature_name": "s", "instances": [1]}', {}, "input map for signature: s"),
    ('{"instances": 1}', {"x": dtypes.INT32}, "Expecting 'instances' to be an list/array"),
    ('{"instances": []}', {"x": dtypes.INT32}, "No values in 'instances' array"),
    (
        '{"instances": [[1, 2], [3, 4], [5, 6, 7]]}',
        {"x": dtypes.INT32},
        "INVALID_ARGUMENT: Failed to process element: 2 of 'instances' list. "
        "Error: INVALID_ARGUMENT: Expecting tensor size: 2 but got: 3",
    ),
    (
        '{"instances": [[1, 2], [[5, 6]]]}',
        {"x": dtypes.INT32},
        "Error: INVALID_ARGUMENT: Expecting shape [2] but got: [1,2]",
    ),
    (
        '{"instances": [[1, 2], ["a", "b"]]}',
        {"x": dtypes.INT32},
        'Error: INVALID_ARGUMENT: JSON Value: "a" Type: String is not of expected type: int32',
    ),
    (
        '{"instances": [[[1], 2]]}',
        {"x": dtypes.INT32},
        "JSON Value: 2 found at incorrect level: 2 in the JSON DOM. Expected at level: 2",
    ),
    (
        '{"inputs": [1, [2]]}',
        {"x": dtypes.INT32},
        "Encountered list at unexpected level: 1 expected < 1",
    ),
    (
        '{"inputs": [[1], [2, 3]]}',
        {"x": dtypes.INT32},
        "Encountered list at unexpected size: 2 at level: 1 expected size: 1",
    ),
    (
        '{"instances": [{"a": 1, "b": 2}, [1]]}',
        {"a": dtypes.INT32, "b": dtypes.INT32},
        "Expecting object but got list at item 1 of input list",
    ),
    (
        '{"instances": [1, {"a": 2}]}',
        {"a": dtypes.INT32},
        "Expecting value/list but got object at item 1 of input list",
    ),
    (
        '{"instances": [{"b": 1}]}',
        {"b": dtypes.INT32, "a": dtypes.INT32},
        'JSON object: {\n    "b": 1\n} keys must be equal to: a,b',
    ),
    (
        '{"instances": [{"c": 1}]}',
        {"a": dtypes.INT32},
        "Failed to process element: 0 key: c of 'instances' list. "
        "Error: INVALID_ARGUMENT: JSON object: does not have named input: c",
    ),
    (
        '{"instances": [1]}',
        {"a": dtypes.INT32, "b": dtypes.INT32},
        "instances is a plain list, but expecting list of objects",
    ),
    (
        '{"inputs": [1]}',
        {"a": dtypes.INT32, "b": dtypes.INT32},
        "inputs is a plain value/list, but expecting an object",
    ),
    (
        '{"inputs": {"a": 1}}',
        {"a": dtypes.INT32, "b": dtypes.INT32},
        "Missing named input: b in 'inputs' object.",
    ),
    ('{"inputs": [{"b64": "a"}]}', {"x": dtypes.STRING}, "Unable to base64 decode"),
    ('{"inputs": [{"b64": "a!=="}]}', {"x": dtypes.STRING}, "Unable to base64 decode"),
    (
        '{"inputs": [{"b64": "YQ==", "x": 1}]}',
        {"x": dtypes.STRING},
        "not formatted correctly for base64 data",
    ),
    (
        '{"inputs": 1}',
        {"x": HALF},
        "UNIMPLEMENTED: Conversion of JSON Value: 1 to type: half",
    ),
    (
        '{"instances": [1]}',
        {"x": HALF},
        "INVALID_ARGUMENT: Failed to process element: 0 of 'instances' list. "
        "Error: UNIMPLEMENTED: Conversion of JSON Value: 1 to type: half",
    ),
    (f'{{"inputs": {"[" * 100_000}{"]" * 100_000}}}', {"x": dtypes.FLOAT}, "tensor parsing error"),
]


@pytest.mark.parametrize(("body", "types", "text"), WRONG, ids=[text for *_, text in WRONG])
def test_what_is_wrong_is_told(body: str, types: dict[str, int], text: str) -> None:
    assert text in error(body, **types)


@pytest.mark.parametrize("name", ["5", '["x"]', "[" * 100_000 + "]" * 100_000])
def test_a_signature_name_is_a_text(name: str) -> None:
    with pytest.raises(ServingError, match="'signature_name' key must be a string value"):
        read_signature_name(read_object(f'{{"signature_name": {name}}}'.encode()))


def test_the_document_in_an_error_is_cut() -> None:
    text = error('{"instances": 1, "more": [' + "1, " * 10_000 + "1]}", x=dtypes.FLOAT)
    assert len(text) < 400


@pytest.mark.parametrize("padded", ["aGk=", "aGk", "a Gk=\\n"])
def test_base64_may_miss_padding_and_hold_white_space(padded: str) -> None:
    assert read(f'{{"inputs": {{"b64": "{padded}"}}}}', x=dtypes.STRING)["x"] == b"hi"
