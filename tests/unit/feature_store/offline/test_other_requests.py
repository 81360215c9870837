"""Requests with on-demand views, and requests without an entity frame."""

from datetime import datetime, timedelta, timezone
from typing import Any

import pandas as pd
import pytest
from feast import FeatureService, Field, RequestSource
from feast.on_demand_feature_view import on_demand_feature_view
from feast.types import Int64


@pytest.fixture
def with_on_demand(project):
    project.write("a.parquet", {"k": [1], "ts": [0], "x": [1], "y": [2]})
    view = project.view("a", features=("x", "y"))

    @on_demand_feature_view(
        sources=[view], schema=[Field(name="total", dtype=Int64)], mode="pandas"
    )
    def added(frame: pd.DataFrame) -> pd.DataFrame:
        return pd.DataFrame({"total": frame["x"] + frame["y"]})

    return project.store(view, added, FeatureService(name="s", features=[added, view[["y"]]]))


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        (["added:total"], {"total": 3}),
        (["added:total", "a:y"], {"total": 3, "y": 2}),
        (["a:x", "added:total"], {"x": 1, "total": 3}),
        ("s", {"total": 3, "y": 2}),
    ],
    ids=["alone", "before an input", "after an input", "service"],
)
@pytest.mark.parametrize("full", [False, True])
def test_on_demand_features_come_without_the_inputs_nobody_asked_for(
    project, with_on_demand, asked, expected, full
):
    features = with_on_demand.get_feature_service("s") if asked == "s" else asked
    columns = {"k": [1], "event_timestamp": [1]}
    table = project.ask(with_on_demand, features, columns, full_feature_names=full)
    prefix = {"total": "added__", "x": "a__", "y": "a__"} if full else dict.fromkeys("xy", "")
    named = {prefix.get(name, "") + name: value for name, value in expected.items()}
    assert list(table.to_pylist()[0].items())[2:] == list(named.items())


def test_an_on_demand_view_may_need_nothing_but_the_request(project):
    request = RequestSource(name="r", schema=[Field(name="price", dtype=Int64)])

    @on_demand_feature_view(
        sources=[request], schema=[Field(name="net", dtype=Int64)], mode="python"
    )
    def taxed(given: dict[str, Any]) -> dict[str, Any]:
        return {"net": [price - 1 for price in given["price"]]}

    columns = {"price": [5, 7], "event_timestamp": [1, 1]}
    table = project.ask(project.store(taxed), ["taxed:net"], columns)
    assert table.column_names == ["price", "event_timestamp", "net"]
    assert table["net"].to_pylist() == [4, 6]


def test_without_an_entity_frame_there_is_a_row_for_each_key_and_time(project, at):
    project.write("v.parquet", {"k": [1, 1, 2, 1], "ts": [0, 2, 1, 9], "x": [10, 11, 20, 12]})
    project.write("w.parquet", {"k": [1, 2], "ts": [1, -5], "y": [5, 6]})
    store = project.store(project.view("v"), project.view("w", features=("y",)))
    table = store.get_historical_features(
        None, ["w:y", "v:x"], start_date=at(0), end_date=at(5)
    ).to_arrow()
    assert table.column_names == ["event_timestamp", "k", "y", "x"]
    hours = [(t - at(0)) / timedelta(hours=1) for t in table["event_timestamp"].to_pylist()]
    rows = list(zip(hours, *(table[n].to_pylist() for n in "kyx"), strict=True))
    # Key 2 of w is from before the start.
    assert rows == [(0, 1, None, 10), (1, 1, 5, 10), (1, 2, None, 20), (2, 1, 5, 11)]


def test_without_an_entity_frame_naive_dates_are_utc(project, at):
    project.write("v.parquet", {"k": [1, 1], "ts": [0, 2], "x": [10, 11]})
    store = project.store(project.view("v"))
    start, end = (
        datetime(2026, 1, 1, 1),
        datetime(2026, 1, 1, 6, tzinfo=timezone(timedelta(hours=2))),
    )
    job = store.get_historical_features(None, ["v:x"], start_date=start, end_date=end)
    assert job.to_arrow()["x"].to_pylist() == [11]
