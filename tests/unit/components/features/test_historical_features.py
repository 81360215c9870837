"""Labels joined with the features known at their time, from a repository's files alone."""

import datetime as dt

import polars as pl
import pytest

from headrace.components.features.historical_features import history
from headrace.components.shared.errors import ConfigError, DataError, ProjectCodeError

CONFIG = """
project: shops
offline_store: {type: headrace.feature_store.offline.store.AsofOfflineStore}
"""
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


shops_v3 = FeatureService(name="shops_v3", features=[sales, basket])
"""


def day(number, hour=0):
    return dt.datetime(2020, 1, number, hour, tzinfo=dt.UTC)


@pytest.fixture
def join(tmp_path):
    def run(service="shops_v3", views=VIEWS, config=CONFIG, labels=None):
        (tmp_path / "sales").mkdir(exist_ok=True)
        sales = {
            "shop": ["x", "x", "y"],
            "mean_price": [1.0, 2.0, 5.0],
            "event_timestamp": [day(1), day(2), day(1)],
        }
        pl.DataFrame(sales).write_parquet(tmp_path / "sales" / "part-0.parquet")
        labels = labels or {
            # The same shop twice at one time, one that nobody knows, one whose sale is too old.
            "shop": ["x", "x", "x", "zz", "y"],
            "event_timestamp": [day(2), day(2), day(1, 23), day(2), day(5)],
            "pieces": [1, 2, 3, 4, 5],
            "y": [0, 1, 0, 1, 0],
        }
        pl.DataFrame(labels).write_parquet(tmp_path / "labels.parquet")
        return history.run(
            built=tmp_path,
            repo_code={"feature_store.yaml": config, "views.py": views} if service else {},
            feature_store={"repo": "repo", "service": service} if service else {},
            label={"column": "y", "task": "binary_classification"},
            features={},
            table=tmp_path / "out" / "table.parquet",
        )

    return run


def test_without_a_service_the_labels_are_the_table(join, tmp_path):
    rows, asked = join(service=None)
    assert asked == {}
    assert rows.columns == ["shop", "event_timestamp", "pieces", "y"]
    assert pl.read_parquet(tmp_path / "out" / "table.parquet").equals(rows)


def test_every_label_gets_what_was_known_at_its_time(join):
    rows, _ = join()
    assert rows["pieces"].to_list() == [1, 2, 3, 4, 5]
    assert rows["mean_price"].to_list() == [2.0, 2.0, 1.0, None, None]
    assert rows["total"].to_list() == [2.0, 4.0, 3.0, None, None]


def test_what_a_caller_must_bring_is_recorded(join):
    _, asked = join()
    hash_ = asked.pop("registry_hash")
    assert asked == {
        "feature_service": "shops_v3",
        "feature_service_version": 3,
        "feature_views": ["basket", "sales"],
        "join_keys": ["shop"],
        "request_fields": {"pieces": "Int64"},
    }
    assert join()[1]["registry_hash"] == hash_
    moved = join(views=VIEWS.replace("days=1", "days=2"))[1]["registry_hash"]
    assert moved != hash_
    assert join(views=VIEWS + "\n# a comment\n")[1]["registry_hash"] == hash_


def test_an_unknown_service_names_the_nearest_one(join):
    with pytest.raises(ConfigError) as caught:
        join(service="shops_v4")
    assert "no feature service 'shops_v4'" in caught.value.message
    assert "'shops_v3'" in caught.value.fix


def test_a_repository_that_raises_is_blamed_with_its_line(join):
    with pytest.raises(ProjectCodeError) as caught:
        join(views=VIEWS.replace("timedelta(days=1)", "timedelta(day=1)"))
    assert "views.py:17" in caught.value.message
    assert "TypeError" in caught.value.message


def test_an_offline_store_that_loses_rows_is_refused(join):
    with pytest.raises(ConfigError, match="silently drops"):
        join(config="project: shops\noffline_store: {type: dask}\n")


def test_settings_that_feast_refuses_are_explained(join):
    with pytest.raises(ConfigError, match=r"feature_store\.yaml: Feast refuses it"):
        join(config="project: shops\noffline_store: {type: nonsense}\n")


def test_labels_without_a_join_key_are_refused(join):
    labels = {"event_timestamp": [day(2)] * 2, "pieces": [1, 2], "y": [0, 1]}
    with pytest.raises(DataError, match="shop"):
        join(labels=labels)
