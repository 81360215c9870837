"""A device's preprocessing computes what TensorFlow computes, operation by operation."""

import math
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from headrace.components.deployment.edge_export.preprocessing import rules, translate, writer
from headrace.components.shared import tensorflow_env  # noqa: F401
from headrace.components.shared.errors import ProjectCodeError, StepError
from headrace.components.shared.signatures import MISSING_INT, MISSING_TEXT
from headrace.serving.edge.runtime.preprocessing import Preprocessing

CITIES = ["oslo", "rome", "übach", ""]
QUARTILES = [[-1.5, 0.0, 0.0, 2.5], [0.25, 1.0, 30.0, 1e6]]
#: Functions that TensorFlow approximates, one way for eight numbers at a time and another for the
#: last few; all else is compared bit by bit.
APPROXIMATE = {
    "cos",
    "exp",
    "expm1",
    "log",
    "log1p",
    "power",
    "reciprocal",
    "rsqrt",
    "sigmoid",
    "sin",
    "tanh",
}


def sparse(values, missing):
    """A column with missing values as tf.Transform sees it."""
    import tensorflow as tf

    column = tf.reshape(values, [-1, 1])
    present = tf.not_equal(column, missing) if missing == missing else ~tf.math.is_nan(column)
    where = tf.where(present)
    return tf.SparseTensor(where, tf.gather_nd(column, where), tf.shape(column, tf.int64))


def to_dense(column, default):
    import tensorflow as tf

    shape = [column.dense_shape[0], 1]
    return tf.sparse.to_dense(tf.SparseTensor(column.indices, column.values, shape), default)


def elementwise(x, y, n, tf):
    """Outputs of numbers, each of one operation or a few."""
    wave = tf.where(tf.abs(x) < 20.0, x, tf.ones_like(x))  # no device has to be exact at 1e30
    return {
        "abs": abs(x),
        "add_n": tf.add_n([x, y, x]),
        "bucketize": tf.raw_ops.Bucketize(input=x, boundaries=[-1.0, 0.0, 2.5]),
        "cast_bool": tf.cast(x, tf.bool),
        "cast_int": tf.cast(tf.clip_by_value(wave, -9.0, 9.0), tf.int32),
        "cast_from_int": tf.cast(n, tf.float32),
        "ceil": tf.math.ceil(x),
        "clip": tf.clip_by_value(x, -1.0, 1.0),
        "cos": tf.cos(wave),
        "divide": x / y,
        "divide_no_nan": tf.math.divide_no_nan(x, y),
        "equal": tf.equal(x, y),
        "exp": tf.exp(wave),
        "expm1": tf.math.expm1(wave),
        "finite": tf.math.is_finite(x) & ~tf.math.is_inf(y),
        "floor_divide": x // tf.where(tf.abs(y) > 0.5, y, 2.0),
        "floor_mod_int": n % 7,
        "floor_divide_int": n // 7,
        "greater": (x > y) | (x <= 0.0),
        "less": (x < y) & (x >= 0.0),
        "log": tf.math.log(x),
        "log1p": tf.math.log1p(x),
        "maximum": tf.maximum(x, y),
        "minimum": tf.minimum(x, y),
        "negative": -x,
        "not_equal": tf.not_equal(x, y),
        "power": tf.pow(tf.abs(wave), 1.5),
        "reciprocal": tf.math.reciprocal(x),
        "relu": tf.nn.relu(x),
        "round": tf.round(x),
        "rsqrt": tf.math.rsqrt(tf.abs(wave) + 0.5),
        "sigmoid": tf.sigmoid(wave),
        "sign": tf.sign(x),
        "sin": tf.sin(wave),
        "sqrt": tf.sqrt(x),
        "square": tf.square(x),
        "squared_difference": tf.math.squared_difference(x, y),
        "tanh": tf.tanh(wave),
        "where": tf.where(tf.math.is_nan(x), tf.ones_like(x), x * 2.0 - y),
    }


def shapes(x, y, n, tf):
    """Outputs that move values around."""
    both = tf.concat([x, y, tf.cast(n, tf.float32)], axis=1)
    places = tf.cast(tf.reshape(n, [-1]) % 3, tf.int32)
    columns = tf.transpose(tf.concat([x, y], 1))
    above = tf.searchsorted(QUARTILES, columns, side="right")
    return {
        "broadcast": tf.broadcast_to(x, [tf.shape(x)[0], 4]),
        "concat_of_alike": tf.concat([x * 2.0, y * 3.0, x - 1.0], axis=1),
        "expand": tf.squeeze(tf.expand_dims(both, 1), 1),
        "fill": tf.fill([tf.shape(x)[0], 2], 7.0),
        "gather": tf.gather([10.0, 20.0, 30.0], places),
        "gather_columns": tf.gather(both, [2, 0], axis=1),
        "gather_each": tf.transpose(tf.gather(QUARTILES, tf.minimum(above, 3), batch_dims=1)),
        "left": tf.transpose(tf.searchsorted(QUARTILES, columns, side="left")),
        "matmul": tf.matmul(tf.clip_by_value(tf.cast(n, tf.float32), -9.0, 9.0), [[1.0, 2.0]]),
        "one_hot": tf.one_hot(places, 3),
        "reduce": tf.reduce_max(both, axis=1, keepdims=True),
        "reshape": tf.reshape(both, [tf.shape(both)[0], 3, 1]),
        "right": tf.transpose(above),
        "slice": both[:, 1:],
        "stack": tf.stack([x[:, 0], y[:, 0]], axis=1),
        "tile": tf.tile(x, [1, 2]),
    }


def words(city, raw_city, tf):
    """Outputs of texts."""
    initializer = tf.lookup.KeyValueTensorInitializer(CITIES[:3], tf.range(3, dtype=tf.int64))
    table = tf.lookup.StaticVocabularyTable(initializer, num_oov_buckets=5)
    ids = tf.SparseTensor(raw_city.indices, table.lookup(raw_city.values), raw_city.dense_shape)
    return {
        "city": city,
        "empty": tf.equal(city, ""),
        "hash": tf.strings.to_hash_bucket_fast(city, 1000),
        "id": table.lookup(city),
        "id_of_sparse": to_dense(ids, -1),
        "join": tf.strings.join([city, "x"], separator="-"),
        "lower": tf.strings.lower(city),
        "strip": tf.strings.strip(city),
        "upper": tf.strings.upper(city),
    }, table


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """TensorFlow's function and the device's preprocessing that was written from it."""
    import tensorflow as tf

    module = tf.Module()

    @tf.function(
        input_signature=[
            {
                "x": tf.TensorSpec([None], tf.float32),
                "y": tf.TensorSpec([None], tf.float32),
                "n": tf.TensorSpec([None], tf.int64),
                "city": tf.TensorSpec([None], tf.string),
            }
        ]
    )
    def preprocess(raw):
        x = to_dense(sparse(raw["x"], math.nan), math.nan)
        y = tf.reshape(raw["y"], [-1, 1])
        n = to_dense(sparse(raw["n"], MISSING_INT), 5)
        raw_city = sparse(raw["city"], MISSING_TEXT)
        texts, module.table = words(to_dense(raw_city, "rome"), raw_city, tf)
        return {**elementwise(x, y, n, tf), **shapes(x, y, n, tf), **texts}

    module.preprocess = preprocess
    folder = tmp_path_factory.mktemp("export")
    tf.saved_model.save(module, str(folder / "model"))
    dtypes = writer.write(folder / "model", folder / "preprocessing.json")
    assert dtypes == {"city": "string", "n": "int64", "x": "float32", "y": "float32"}
    return module.preprocess, Preprocessing.load(folder / "preprocessing.json")


#: TensorFlow takes numbers below 1e-38 for zero.
NUMBERS = st.one_of(
    st.floats(-(2.0**20), 2.0**20, width=32).filter(lambda number: abs(number) > 1e-9),
    st.sampled_from([0.0, -0.0, 1.0, 2.5, math.nan, math.inf, -math.inf]),
)
ROW = st.fixed_dictionaries(
    {
        "x": NUMBERS,
        "y": NUMBERS,
        "n": st.one_of(st.integers(-(2**53), 2**53), st.just(MISSING_INT)),
        "city": st.one_of(st.sampled_from([*CITIES, " Oslo\t"]), st.text(max_size=90)),
    }
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(rows=st.lists(ROW, min_size=1, max_size=12))
def test_every_operation_computes_what_tensorflow_computes(exported, rows):
    import tensorflow as tf

    function, preprocessing = exported
    kinds = {"x": tf.float32, "y": tf.float32, "n": tf.int64, "city": tf.string}
    columns = {name: [row[name] for row in rows] for name in kinds}
    wanted = function({name: tf.constant(columns[name], kind) for name, kind in kinds.items()})
    got = preprocessing.transform(columns)
    for name, tensor in wanted.items():
        expected = tensor.numpy()
        if expected.dtype == object:
            expected = np.vectorize(lambda text: text.decode(), otypes=[object])(expected)
        assert got[name].dtype == expected.dtype, name
        if name in APPROXIMATE:
            np.testing.assert_allclose(got[name], expected, rtol=2e-6, err_msg=name)
        else:
            np.testing.assert_array_equal(got[name], expected, err_msg=name)
    first = preprocessing.transform_row(rows[0])
    for name, values in got.items():
        np.testing.assert_array_equal(first[name], values[:1], err_msg=name)


def test_many_rows_take_the_way_of_few(exported):
    """Searching many values goes another way than comparing few; both agree."""
    _, preprocessing = exported
    rng = np.random.default_rng(0)
    rows = 20_000
    values = rng.choice([-1.5, 0.0, 0.25, 3.0, math.nan, math.inf], rows).astype(np.float32)
    columns = {"x": values, "y": values[::-1], "n": np.arange(rows), "city": ["rome"] * rows}
    together = preprocessing.transform(columns)
    part = preprocessing.transform({name: column[-50:] for name, column in columns.items()})
    for name in ("left", "right", "gather_each"):
        np.testing.assert_array_equal(together[name][-50:], part[name], err_msg=name)


def test_none_is_a_missing_value_where_there_may_be_one(exported):
    _, preprocessing = exported
    got = preprocessing.transform_row({"x": None, "y": 1.0, "n": None, "city": None})
    assert got["city"] == [["rome"]]
    assert got["id_of_sparse"] == [[-1]]
    assert got["floor_mod_int"] == [[5]]
    assert np.isnan(got["abs"]).all()


def save(folder, function, dtype):
    import tensorflow as tf

    module = tf.Module()
    spec = {"word": tf.TensorSpec([None], dtype), "other": tf.TensorSpec([None], dtype)}
    module.preprocess = tf.function(function, input_signature=[spec])
    tf.saved_model.save(module, str(folder))
    return folder


def refused(folder, function, dtype):
    with pytest.raises(ProjectCodeError) as error:
        writer.write(save(folder, function, dtype), folder / "preprocessing.json")
    assert not (folder / "preprocessing.json").exists()
    return str(error.value)


def test_an_operation_that_devices_lack_is_named_with_its_node_and_feature(tmp_path):
    import tensorflow as tf

    def preprocess(raw):
        shorter = tf.strings.regex_replace(raw["word"], "a+", "a", name="shorten")
        return {"short": tf.strings.length(shorter), "same": raw["other"]}

    message = refused(tmp_path, preprocess, tf.string)
    assert "StaticRegexReplace cannot run on a device" in message
    assert "shorten" in message
    assert "feeds the transformed feature 'short', from word." in message


def test_rows_must_not_be_mixed(tmp_path):
    import tensorflow as tf

    def preprocess(raw):
        return {"share": raw["word"] / tf.reduce_sum(raw["word"]), "same": raw["other"]}

    message = refused(tmp_path, preprocess, tf.float32)
    assert "Sum cannot run on a device: it combines different rows" in message


def test_a_model_without_its_preprocessing_is_refused(tmp_path):
    import tensorflow as tf

    tf.saved_model.save(tf.Module(), str(tmp_path))
    with pytest.raises(StepError, match="has no function `preprocess`"):
        writer.write(tmp_path, tmp_path / "preprocessing.json")


def test_the_page_lists_every_operation():
    page = (Path(__file__).parents[3] / "docs" / "how-to" / "edge.md").read_text(encoding="utf-8")
    known = {*translate.RULES, *rules.ELEMENTWISE, *rules.COPIES}
    assert [name for name in known if f"`{name}`" not in page] == []
