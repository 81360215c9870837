"""Predict answers: values, layout, and what cannot be shown."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from headrace.serving.server.errors import Code, ServingError
from headrace.serving.server.rest.codec.json_reader import read_object
from headrace.serving.server.rest.codec.tensor_writer import write_columns, write_rows
from headrace.serving.server.seam import Array

SEVERAL = {
    "scalar": np.array([8.0, 9.0]),
    "list": np.array([[1, 2], [3, 4]], np.int32),
    "raw_bytes": np.array([b"\xff", b"b"], object),
    "text": np.array([b'"a"', b"\xc3\xa9"], object),
}


def test_rows_are_laid_out_as_tensorflow_serving_does() -> None:
    assert write_rows({"y": np.array([2.5, 3], np.float32)}) == (
        b'{\n    "predictions": [2.5, 3.0\n    ]\n}'
    )
    assert write_rows(SEVERAL).decode() == (
        """{
    "predictions": [
        {
            "scalar": 8.0,
            "list": [1, 2],
            "raw_bytes": {
                "b64": "/w=="
            },
            "text": "\\"a\\""
        },
        {
            "scalar": 9.0,
            "list": [3, 4],
            "raw_bytes": {
                "b64": "Yg=="
            },
            "text": "é"
        }
    ]
}"""
    )


def test_columns_are_laid_out_as_tensorflow_serving_does() -> None:
    assert write_columns({"y": np.array([[True], [False]])}) == (
        b'{\n    "outputs": [\n        [\n            true\n        ],\n'
        b"        [\n            false\n        ]\n    ]\n}"
    )
    assert write_columns({"y": np.array(7, np.uint64)}) == b'{\n    "outputs": 7\n}'
    document: dict[str, Any] = read_object(write_columns(SEVERAL))
    assert document["outputs"] == {
        "scalar": [8.0, 9.0],
        "list": [[1, 2], [3, 4]],
        "raw_bytes": [{"b64": "/w=="}, {"b64": "Yg=="}],
        "text": ['"a"', "é"],
    }


def test_no_rows_are_an_empty_list() -> None:
    assert read_object(write_rows({"y": np.zeros((0, 3)), "z": np.zeros(0)})) == {"predictions": []}
    assert read_object(write_rows({"y": np.zeros((2, 0))})) == {"predictions": [[], []]}


@pytest.mark.parametrize(
    ("outputs", "text"),
    [
        ({"y": np.array(1.0)}, "Tensor name: y has no shape information"),
        (
            {"y": np.zeros(2), "z": np.zeros(3)},
            "Tensor name: z has inconsistent batch size: 3 expecting: 2",
        ),
        ({"y": np.zeros(1, complex)}, "Failed to write JSON value for tensor type: complex128"),
        ({"y": np.zeros(1, np.float16)}, "Failed to write JSON value for tensor type: half"),
    ],
)
def test_what_cannot_be_written_as_rows_is_told(outputs: dict[str, Array], text: str) -> None:
    with pytest.raises(ServingError, match=text) as caught:
        write_rows(outputs)
    assert caught.value.code == Code.INVALID_ARGUMENT
