"""Rows of plain values as the tensors of a signature."""

import numpy as np
import pytest

from headrace.components.shared.signatures import MISSING_INT
from headrace.serving.client import Prediction, Signature, TensorSpec, columns_of, rows_of
from headrace.serving.gateway.errors import InvalidRequestError
from headrace.serving.gateway.protocol import serving_apis


def spec(name):
    return TensorSpec(serving_apis().types.DataType.Value(f"DT_{name}"), (None,))


SIGNATURE = Signature(
    {"price": spec("FLOAT"), "pieces": spec("INT64"), "town": spec("STRING")},
    {"score": spec("FLOAT")},
)
ROW = {"price": 1.5, "pieces": 3, "town": "Rome"}


def test_each_input_gets_an_array_of_its_type():
    found = columns_of([ROW, {"price": 2, "pieces": 4, "town": "Bonn"}], SIGNATURE)
    assert {name: array.dtype.name for name, array in found.items()} == {
        "price": "float32",
        "pieces": "int64",
        "town": "object",
    }
    assert found["price"].tolist() == [1.5, 2.0]
    assert found["town"].tolist() == ["Rome", "Bonn"]


def test_none_travels_as_pushed_models_take_missing_values():
    found = columns_of([dict.fromkeys(ROW)], SIGNATURE)
    assert np.isnan(found["price"]).all()
    assert found["pieces"].tolist() == [MISSING_INT]
    assert found["town"].tolist() == [""]


def test_rows_may_hold_vectors():
    signature = Signature({"x": spec("FLOAT")}, {})
    assert columns_of([{"x": [1, 2]}, {"x": [3, 4]}], signature)["x"].shape == (2, 2)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"pieces": 3.0}, "'pieces' is 3.0, and the model takes int64"),
        ({"pieces": True}, "'pieces' is True, and the model takes int64"),
        ({"pieces": 2**63}, "'pieces' is .*, and the model takes int64"),
        ({"price": "1.5"}, "'price' is '1.5', and the model takes float32"),
        ({"town": 7}, "'town' is 7, and the model takes text"),
        ({"towm": "Rome"}, "Row 1 has 'towm', which the model does not take"),
    ],
)
def test_values_that_do_not_fit_are_named(changes, message):
    with pytest.raises(InvalidRequestError, match=message):
        columns_of([ROW, {**ROW, **changes}], SIGNATURE)


def test_a_row_that_lacks_inputs_is_refused_instead_of_sent_as_missing():
    with pytest.raises(InvalidRequestError, match=r"Row 0 lacks 'pieces', 'town'\.") as caught:
        columns_of([{"price": 1.0}], SIGNATURE)
    assert "null" in caught.value.fix


def test_rows_of_different_shapes_are_refused():
    with pytest.raises(InvalidRequestError, match=r"'x' is \[\[1\], \[1, 2\]\]"):
        columns_of([{"x": [1]}, {"x": [1, 2]}], Signature({"x": spec("FLOAT")}, {}))


def test_a_type_without_a_missing_value_is_named():
    with pytest.raises(InvalidRequestError, match="'x' is bool, for which there is no missing"):
        columns_of([{"x": None}], Signature({"x": spec("BOOL")}, {}))


def test_an_answer_becomes_rows():
    texts = np.array([b"yes", b"no"], object)
    scores = np.array([0.5, 0.25], "float32")
    prediction = Prediction({"label": texts, "score": scores, "limit": np.array(0.5)}, 1)
    assert rows_of(prediction, 2) == [
        {"label": "yes", "score": 0.5, "limit": 0.5},
        {"label": "no", "score": 0.25, "limit": 0.5},
    ]
