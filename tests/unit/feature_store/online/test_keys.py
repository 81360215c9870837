"""Entity keys against Feast's own serialisation."""

import datetime as dt

import pytest
from feast.infra.key_encoding_utils import serialize_entity_key
from feast.infra.online_stores.helpers import _redis_key
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value
from feast.value_type import ValueType
from hypothesis import given
from hypothesis import strategies as st

from headrace.feature_store.online import FeatureRequestError
from headrace.feature_store.online.keys import ENCODERS, KeyEncoder, converter

VALUES = {
    ValueType.STRING: ("string_val", st.text(st.characters(exclude_categories=["Cs"]))),
    ValueType.BYTES: ("bytes_val", st.binary()),
    ValueType.INT32: ("int32_val", st.integers(-(1 << 31), (1 << 31) - 1)),
    ValueType.INT64: ("int64_val", st.integers(-(1 << 63), (1 << 63) - 1)),
    ValueType.UNIX_TIMESTAMP: ("unix_timestamp_val", st.integers(-(1 << 63), (1 << 63) - 1)),
}


@given(st.data())
def test_keys_are_feasts(data):
    assert VALUES.keys() == ENCODERS.keys()
    names = data.draw(st.lists(st.text("abcé_", min_size=1), min_size=1, max_size=3, unique=True))
    kinds = {name: data.draw(st.sampled_from(list(VALUES))) for name in names}
    row = {name: data.draw(VALUES[kind][1]) for name, kind in kinds.items()}
    proto = EntityKey(
        join_keys=names,
        entity_values=[Value(**{VALUES[kinds[name]][0]: row[name]}) for name in names],
    )
    columns = [[row[name]] for name in sorted(names)]
    assert KeyEncoder(kinds, b"").encode(columns) == ([serialize_entity_key(proto, 3)], None)
    keys, _ = KeyEncoder(kinds, b"proj").encode(columns)
    assert keys == [_redis_key("proj", proto, 3)]


def test_each_key_is_looked_up_once():
    encoder = KeyEncoder({"id": ValueType.INT64}, b"")
    keys, place = encoder.encode([[5, 7, 5, 5, 7]])
    assert (len(keys), place) == (2, [0, 1, 0, 0, 1])
    pair = KeyEncoder({"a": ValueType.STRING, "b": ValueType.STRING}, b"")
    keys, place = pair.encode([["x", "xy", "x"], ["yz", "z", "yz"]])
    assert (len(set(keys)), place) == (2, [0, 1, 0])


def test_other_types_are_converted_as_feast_does():
    moment = dt.datetime(2013, 7, 1, tzinfo=dt.UTC)
    raw, shown = converter("t", ValueType.UNIX_TIMESTAMP)([moment])
    assert (list(raw), shown) == ([int(moment.timestamp())], [moment])
    assert converter("n", ValueType.INT64)([5.0, 6])[0] == [5, 6]
    assert converter("s", ValueType.STRING)([5, "x"])[0] == ["5", "x"]


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (ValueType.INT64, [1, None]),
        (ValueType.INT64, ["x"]),
        (ValueType.STRING, [None]),
        (ValueType.BYTES, [1.5]),
    ],
)
def test_unusable_values_are_told(kind, values):
    with pytest.raises(FeatureRequestError, match=f"'k' must hold {kind.name} values, but got"):
        converter("k", kind)(values)


@pytest.mark.parametrize(
    ("kind", "value"), [(ValueType.INT32, 1 << 31), (ValueType.INT64, 1 << 63)]
)
def test_numbers_that_do_not_fit_are_told(kind, value):
    with pytest.raises(FeatureRequestError, match=f"must hold {kind.name} values"):
        KeyEncoder({"k": kind}, b"").encode([[value]])
