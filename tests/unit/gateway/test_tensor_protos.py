"""NumPy arrays in TensorFlow's message, in every encoding that a server may choose."""

import numpy as np
import pytest
import tensorflow as tf

from headrace.serving.gateway.errors import InvalidRequestError, PredictionError
from headrace.serving.gateway.protocol import serving_apis
from headrace.serving.gateway.tensor_protos import from_proto, to_proto
from headrace.serving.gateway.tensors import outputs_of

ARRAYS = {
    **{
        name: np.array([[0, 1, 2], [3, 4, 5]], name)
        for name in ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
    },
    **{name: np.array([1.5, np.nan, -np.inf], name) for name in ("float16", "float32", "float64")},
    "complex64": np.array([1 + 2j, 3j], "complex64"),
    "complex128": np.array([1 + 2j, 3j], "complex128"),
    "bool": np.array([True, False]),
    "text": np.array(["red", "é"], object),
    "fixed text": np.array(["red", "blue"]),
    "bytes": np.array([b"\xff\x00", b""], object),
    "scalar": np.array(7, "int64"),
    "empty": np.zeros((0, 4), "float32"),
    "not contiguous": np.arange(6, dtype="float32")[::2],
    "big-endian": np.array([1.0, 2.0], ">f4"),
}


def as_tensorflow_has_it(array):
    return np.asarray(tf.constant(array.tolist() if array.dtype.kind in "SUO" else array).numpy())


@pytest.mark.parametrize("array", ARRAYS.values(), ids=ARRAYS)
def test_tensorflow_reads_what_is_written(array):
    proto = serving_apis().TensorProto()
    to_proto(array, proto)
    np.testing.assert_array_equal(tf.make_ndarray(proto), as_tensorflow_has_it(array))


@pytest.mark.parametrize("array", ARRAYS.values(), ids=ARRAYS)
def test_what_tensorflow_writes_is_read(array):
    expected = as_tensorflow_has_it(array)
    found = from_proto(tf.make_tensor_proto(expected))
    np.testing.assert_array_equal(found, expected)
    assert found.shape == array.shape


@pytest.mark.parametrize(
    "fields",
    [
        {"dtype": "DT_FLOAT", "float_val": [1.5, 2.5]},
        {"dtype": "DT_HALF", "half_val": [15872, 16640]},
        {"dtype": "DT_INT8", "int_val": [-1, 2]},
        {"dtype": "DT_COMPLEX64", "scomplex_val": [1, 2, 3, 4]},
        {"dtype": "DT_INT64", "int64_val": [7]},
        {"dtype": "DT_DOUBLE"},
        {"dtype": "DT_STRING", "string_val": [b"x"]},
    ],
    ids=lambda fields: fields["dtype"],
)
def test_values_one_by_one_are_read_as_tensorflow_does(fields):
    apis = serving_apis()
    number = apis.types.DataType.Value(fields["dtype"])
    proto = apis.TensorProto(**{**fields, "dtype": number}, tensor_shape={"dim": [{"size": 2}]})
    expected = tf.make_ndarray(proto)
    np.testing.assert_array_equal(from_proto(proto), expected)


def test_what_cannot_be_sent_is_named():
    with pytest.raises(InvalidRequestError, match="An array of type datetime64"):
        to_proto(np.array(["2020-01-01"], "datetime64[us]"), serving_apis().TensorProto())


def test_a_type_that_numpy_lacks_is_named():
    with pytest.raises(PredictionError, match="a tensor of type DT_BFLOAT16"):
        from_proto(tf.make_tensor_proto([1.0], tf.bfloat16))


def test_an_answer_of_any_type_becomes_columns():
    response = serving_apis().PredictResponse()
    outputs = {"band": np.array([[1], [-2]], "int8"), "name": np.array([b"a", b"\xff"], object)}
    for name, array in outputs.items():
        to_proto(array, response.outputs[name])
    assert outputs_of(response) == {"band": [[1], [-2]], "name": ["a", "\ufffd"]}
