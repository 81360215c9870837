"""Features that the table lacks come from the feature service, as of each row's time."""

import datetime as dt
import sys

import polars as pl
import pytest

from headrace.components.shared.errors import ConfigError, DataError

VIEWS = """
import os
from datetime import timedelta

from feast import Entity, FeatureService, FeatureView, Field, FileSource, RequestSource, ValueType
from feast.on_demand_feature_view import on_demand_feature_view
from feast.types import Float64, Int64

shop = Entity(name="shop", join_keys=["shop"], value_type=ValueType.STRING)
sales = FeatureView(
    name="sales",
    entities=[shop],
    schema=[Field(name="mean_price", dtype=Float64)],
    source=FileSource(
        path=os.environ["HEADRACE_FEATURE_DATA"] + "/sales", timestamp_field="event_timestamp"
    ),
    ttl=timedelta(days=1),
)
asked = RequestSource(name="asked", schema=[Field(name="pieces", dtype=Int64)])


@on_demand_feature_view(
    sources=[asked, sales], mode="python", schema=[Field(name="total", dtype=Float64)]
)
def basket(inputs):
    pairs = zip(inputs["pieces"], inputs["mean_price"])
    return {"total": [None if price is None else n * price for n, price in pairs]}


shops_v1 = FeatureService(name="shops_v1", features=[sales, basket])
"""
CODE = {
    "feature_store.yaml": "project: shops\n"
    "offline_store: {type: headrace.feature_store.offline.store.AsofOfflineStore}\n",
    "views.py": VIEWS,
}
ASKED = {
    "feature_service": "shops_v1",
    "join_keys": ["shop"],
    "request_fields": {"pieces": "Int64"},
    "registry_hash": "that of the training",
}


def day(number, hour=0):
    return dt.datetime(2020, 1, number, hour, tzinfo=dt.UTC)


@pytest.fixture
def root(tmp_path):
    """The repository's root, with its tables."""
    (tmp_path / "data" / "sales").mkdir(parents=True)
    sales = {
        "shop": ["x", "x"],
        "mean_price": [1.0, 2.0],
        "event_timestamp": [day(1), day(2)],
    }
    pl.DataFrame(sales).write_parquet(tmp_path / "data" / "sales" / "part-0.parquet")
    return str(tmp_path)


@pytest.fixture
def write(tmp_path):
    def run(**columns):
        rows = {
            "shop": ["x", "x", "zz"],
            "pieces": [1, 2, 3],
            "event_timestamp": [day(2), day(1, 23), day(2)],
        }
        path = tmp_path / "rows.parquet"
        pl.DataFrame({k: v for k, v in {**rows, **columns}.items() if v}).write_parquet(path)
        return path

    return run


def test_they_are_those_of_each_rows_time(push, predict, root, write, caplog):
    push("prices", feature_store=ASKED)
    result = predict(write(), repo_code=CODE, root=root, shard_rows=2)
    found = pl.read_parquet(result.folder)
    assert found.columns[:2] == ["shop", "event_timestamp"]
    # mean_price + total + pieces; an unknown shop has neither of the first two.
    assert found["score"].to_list() == [2 + 2 + 1, 1 + 2 + 2, 100 + 100 + 3]
    assert "the feature repository has changed" in caplog.text


def test_what_the_table_has_is_taken_from_it(push, predict, root, write):
    push("prices", feature_store=ASKED)
    result = predict(write(mean_price=[7.0] * 3), repo_code=CODE, root=root)
    assert pl.read_parquet(result.folder)["score"].to_list() == [7 + 2 + 1, 7 + 2 + 2, 7 + 100 + 3]


def test_a_complete_table_needs_no_feature_store(push, predict, write):
    push("prices", feature_store=ASKED)
    result = predict(write(mean_price=[7.0] * 3, total=[1.0] * 3))
    assert pl.read_parquet(result.folder)["score"].to_list() == [9.0, 10.0, 11.0]


def test_one_moment_for_all_rows(push, predict, root, write):
    push("prices", feature_store=ASKED)
    rows = write(event_timestamp=None)
    with pytest.raises(DataError, match="no column event_timestamp: as of when"):
        predict(rows, repo_code=CODE, root=root)
    result = predict(rows, repo_code=CODE, root=root, as_of="2020-01-01T23:00:00Z")
    found = pl.read_parquet(result.folder)
    assert found["score"].to_list() == [1 + 1 + 1, 1 + 2 + 2, 100 + 100 + 3]
    assert found["event_timestamp"].unique().to_list() == [day(1, 23)]


def test_what_the_join_lacks_is_named(push, predict, root, write):
    push("prices", feature_store=ASKED)
    with pytest.raises(DataError, match="lacks 'shop', with which feature service 'shops_v1'"):
        predict(write(shop=None, shopp=["x"] * 3), repo_code=CODE, root=root)
    with pytest.raises(ConfigError, match="no Feast repository is given"):
        predict(write())


def test_a_table_with_times_is_not_asked_for_another(push, predict, root, write):
    push("prices", feature_store=ASKED)
    with pytest.raises(DataError, match="and as_of too"):
        predict(write(), repo_code=CODE, root=root, as_of="2020-01-01")


def test_an_image_without_feast_says_so(push, predict, root, write, monkeypatch):
    push("prices", feature_store=ASKED)
    monkeypatch.setitem(sys.modules, "feast", None)  # as if it were not installed
    with pytest.raises(ConfigError, match="Feast, which would join them, is not installed"):
        predict(write(), repo_code=CODE, root=root)
