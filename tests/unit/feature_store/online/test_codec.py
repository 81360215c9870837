"""The hand-written codec against Feast's protobuf types."""

import datetime as dt
import math
import struct

import numpy as np
import pyarrow as pa
import pytest
from feast.protos.feast.types.Value_pb2 import (
    DoubleList,
    FloatList,
    Int64List,
    Map,
    StringList,
    Value,
)
from feast.type_map import feast_value_type_to_python_type, python_values_to_proto_values
from feast.value_type import ValueType
from google.protobuf.message import DecodeError
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from headrace.components.shared.errors import DataError
from headrace.feature_store.online import codec, encode

INT32 = st.integers(-(1 << 31), (1 << 31) - 1)
INT64 = st.integers(-(1 << 63), (1 << 63) - 1)
SECONDS = st.integers(-(10**10), 10**11)  # until the year 5138
FIELDS = {
    ValueType.FLOAT: ("float_val", st.floats(width=32)),
    ValueType.DOUBLE: ("double_val", st.floats()),
    ValueType.INT32: ("int32_val", INT32),
    ValueType.INT64: ("int64_val", INT64),
    ValueType.BOOL: ("bool_val", st.booleans()),
    ValueType.STRING: ("string_val", st.text()),
    ValueType.BYTES: ("bytes_val", st.binary()),
    ValueType.UNIX_TIMESTAMP: ("unix_timestamp_val", SECONDS),
}


def same(left, right):
    if isinstance(left, float) and math.isnan(left):
        return isinstance(right, float) and math.isnan(right)
    return left == right and type(left) is type(right)


@pytest.mark.parametrize("kind", FIELDS)
@given(data=st.data())
def test_scalars_are_decoded_as_by_protobuf(kind, data):
    field, values = FIELDS[kind]
    message = Value(**{field: data.draw(values)})
    found = codec.decoder(kind)(message.SerializeToString())
    assert same(found, feast_value_type_to_python_type(message))


@pytest.mark.parametrize("kind", FIELDS)
def test_long_texts_zeros_and_unset_values(kind):
    decode = codec.decoder(kind)
    assert decode(None) is None
    assert decode(b"") is None
    field, _ = FIELDS[kind]
    zero = type(getattr(Value(), field))()
    message = Value(**{field: zero})
    expected = feast_value_type_to_python_type(message)
    assert same(decode(message.SerializeToString()), expected)
    if kind in (ValueType.STRING, ValueType.BYTES):
        for size in (126, 127, 128, 16_383, 16_384, 70_000):
            value = zero.__class__(b"x" * size) if kind is ValueType.BYTES else "x" * size
            assert decode(Value(**{field: value}).SerializeToString()) == value


@pytest.mark.parametrize("kind", FIELDS)
def test_a_value_of_another_type_than_declared_is_not_guessed(kind):
    decode = codec.decoder(kind)
    for message in (
        Value(string_val="text"),
        Value(int64_val=-5),
        Value(double_val=2.5),
        Value(bool_val=True),
        Value(float_list_val=FloatList(val=[1.0])),
        Value(null_val=0),
    ):
        expected = feast_value_type_to_python_type(message)
        assert same(decode(message.SerializeToString()), expected)


def test_more_than_one_field_is_left_to_protobuf():
    """Of several members of a oneof the last one counts."""
    two = Value(int64_val=300).SerializeToString() + Value(int64_val=7).SerializeToString()
    assert codec.decoder(ValueType.INT64)(two) == 7
    text = Value(string_val="a").SerializeToString() + Value(int64_val=7).SerializeToString()
    assert codec.decoder(ValueType.STRING)(text) == 7


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        (Value(double_list_val=DoubleList(val=[1.0, math.inf])), ValueType.DOUBLE_LIST),
        (Value(float_list_val=FloatList(val=[])), ValueType.FLOAT_LIST),
        (Value(int64_list_val=Int64List(val=[-1, 0, 1 << 62])), ValueType.INT64_LIST),
        (Value(string_list_val=StringList(val=["", "é"])), ValueType.STRING_LIST),
        (Value(unix_timestamp_list_val=Int64List(val=[0, 5])), ValueType.UNIX_TIMESTAMP_LIST),
        (Value(map_val=Map(val={"a": Value(int64_val=1)})), ValueType.MAP),
        (Value(decimal_val="1.50"), ValueType.DECIMAL),
        (Value(uuid_val="12345678-1234-5678-1234-567812345678"), ValueType.UUID),
    ],
)
def test_all_else_is_decoded_by_feast(message, kind):
    found = codec.decoder(kind)(message.SerializeToString())
    assert same(found, feast_value_type_to_python_type(message, kind))


def test_lists_that_are_not_packed_are_read_too():
    inner = b"".join(b"\x08" + bytes([number]) for number in (1, 2, 3))  # one field each
    number = Value.DESCRIPTOR.fields_by_name["int64_list_val"].number
    outer = bytes([number << 3 & 0x7F | 2 | 0x80, number >> 4]) if number > 15 else b""
    data = (outer or bytes([number << 3 | 2])) + bytes([len(inner)]) + inner
    assert codec.decoder(ValueType.INT64_LIST)(data) == [1, 2, 3]


@pytest.mark.parametrize("kind", FIELDS)
def test_damaged_bytes_are_never_a_value(kind):
    for damaged in (b"\x20", b"\x12\xff", b"\x35\x00\x00", b"\x12\x05ab", b"\x20\x80\x80"):
        with pytest.raises((DecodeError, IndexError, UnicodeDecodeError, struct.error)):
            codec.decoder(kind)(damaged)


@given(st.lists(INT64))
def test_varints_are_protobufs(numbers):
    encoded = encode.varints(np.array(numbers, np.int64))
    for number, cell in zip(numbers, encoded, strict=True):
        assert b"\x20" + cell == Value(int64_val=number).SerializeToString()
        assert codec.varint(cell, 0) == (number, len(cell))


@given(st.lists(st.integers(-(10**15), 10**17)))
def test_event_timestamps_are_protobufs(moments):
    cells = encode.timestamps(np.array(moments, np.int64))
    for moment, cell in zip(moments, cells, strict=True):
        expected = Timestamp()
        expected.FromMicroseconds(moment)
        assert cell == expected.SerializeToString()
        assert codec.microseconds(cell) == moment


NUMBERS = (ValueType.FLOAT, ValueType.DOUBLE)
ARROW = {
    ValueType.FLOAT: pa.float32(),
    ValueType.DOUBLE: pa.float64(),
    ValueType.INT32: pa.int32(),
    ValueType.INT64: pa.int64(),
    ValueType.BOOL: pa.bool_(),
    ValueType.STRING: pa.large_string(),
    ValueType.BYTES: pa.large_binary(),
}


@pytest.mark.parametrize("kind", ARROW)
@given(data=st.data())
def test_columns_are_encoded_as_feast_does(kind, data):
    """Nulls and, in columns of numbers, NaN are values that are not set."""
    cells = data.draw(st.lists(st.none() | FIELDS[kind][1], min_size=1))
    encoded = encode.values("x", pa.array(cells, ARROW[kind]), kind)
    if kind in NUMBERS:
        cells = [None if cell is None or math.isnan(cell) else cell for cell in cells]
    field = FIELDS[kind][0]
    expected = [Value() if cell is None else Value(**{field: cell}) for cell in cells]
    assert encoded == [value.SerializeToString() for value in expected]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
def test_columns_of_times_are_encoded_as_feast_does(unit):
    moments = [dt.datetime(2013, 7, 1, 12, 0, 59, 999_000), None, dt.datetime(1969, 12, 31, 23)]
    column = pa.array(moments, pa.timestamp("us")).cast(pa.timestamp(unit), safe=False)
    expected = python_values_to_proto_values(
        column.to_numpy(zero_copy_only=False), ValueType.UNIX_TIMESTAMP
    )
    encoded = encode.values("x", column, ValueType.UNIX_TIMESTAMP)
    assert encoded == [value.SerializeToString() for value in expected]
    found = [codec.decoder(ValueType.UNIX_TIMESTAMP)(cell) for cell in encoded]
    assert found[1] is None


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        (pa.array([[1.0, 2.0], [], None]), ValueType.DOUBLE_LIST),
        (pa.array([["a"], ["b", "c"]]), ValueType.STRING_LIST),
        (pa.array([1.0, None, 3.0]), ValueType.INT64),
        (pa.array([1, 2, 3]), ValueType.STRING),
        (pa.array([1, 0]), ValueType.BOOL),
        (pa.array([None, None]), ValueType.INT64),
        (pa.array([None, None], pa.timestamp("us")), ValueType.UNIX_TIMESTAMP),
        (pa.array([5, 6]), ValueType.UNIX_TIMESTAMP),
        (pa.array(['{"a": 1}', None]), ValueType.JSON),
    ],
)
def test_other_columns_are_encoded_by_feast(column, kind):
    expected = python_values_to_proto_values(column.to_numpy(zero_copy_only=False), kind)
    assert encode.values("x", column, kind) == [v.SerializeToString() for v in expected]


def test_whole_numbers_beside_nulls_keep_all_digits():
    """Through floats, as in pandas, they would not."""
    big = (1 << 62) + 1
    cells = encode.values("x", pa.array([big, None]), ValueType.INT64)
    assert cells == [Value(int64_val=big).SerializeToString(), b""]


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        (pa.array([1 << 40]), ValueType.INT32),
        (pa.array(["x"]), ValueType.DOUBLE),
        (pa.array([(1 << 64) - 1], pa.uint64()), ValueType.INT64),
        (pa.array(["x"]), ValueType.UNIX_TIMESTAMP),
    ],
)
def test_columns_that_do_not_fit_are_refused(column, kind):
    with pytest.raises(DataError, match=f"Column 'x' of type .* cannot be written as {kind.name}"):
        encode.values("x", column, kind)
