"""Baselines beside the registry, limits in tags, and the alarms that follow from them."""

import datetime as dt
import json

import polars as pl
import pytest
from feast import FeatureView, Field, FileSource
from feast.types import Float64

from headrace.components.shared.errors import ConfigError, DataError, StorageError
from headrace.feature_store.online import materialize
from headrace.feature_store.quality.alarms import check_quality
from headrace.feature_store.quality.baseline import (
    definition_hash,
    folder,
    read_baseline,
    record_baseline,
)
from headrace.feature_store.quality.limits import Limits

from .conftest import HOUR, NOW, sales, write

DAY = dt.timedelta(days=1)


def view(ttl=DAY, tags=None, field_tags=None):
    return FeatureView(
        name="sales",
        entities=[],
        schema=[Field(name="price", dtype=Float64, tags=field_tags or {})],
        source=FileSource(name="table", path="x", timestamp_field="at"),
        ttl=ttl,
        tags=tags or {},
    )


def test_limits_come_from_tags_ttl_and_defaults():
    assert Limits.of(view()) == Limits(max_age=DAY, max_drift=0.1, max_missing=0.01)
    assert Limits.of(view(ttl=dt.timedelta(0))).max_age is None
    tags = {"headrace.max_age": "PT6H", "headrace.max_null_rate": "0.2", "owner": "us"}
    mine = view(tags=tags, field_tags={"headrace.max_null_rate": "0.5"})
    assert Limits.of(mine).max_age == 6 * HOUR
    assert Limits.of(mine).max_null_rate == 0.2
    assert Limits.of(mine, mine.features[0]).max_null_rate == 0.5


@pytest.mark.parametrize(
    ("tags", "message", "fix"),
    [
        ({"headrace.max_age": "soon"}, "'headrace.max_age' with 'soon'", "PT6H"),
        ({"headrace.max_age": "PT0S"}, "greater than", "PT6H"),
        ({"headrace.max_drift": "2"}, "'headrace.max_drift' with '2'", "0.05"),
        ({"headrace.max_null_rat": "1"}, "'headrace.max_null_rat'", "'headrace.max_null_rate'"),
    ],
)
def test_wrong_limits_are_told(tags, message, fix):
    with pytest.raises(ConfigError) as error:
        Limits.of(view(tags=tags))
    assert message in error.value.message
    assert fix in error.value.fix


def test_what_may_change_without_a_new_baseline():
    same = definition_hash(view())
    assert definition_hash(view(ttl=9 * DAY, tags={"owner": "other"})) == same
    assert definition_hash(view(tags={"headrace.rolling": "{}"})) != same


@pytest.fixture
def mine(applied):
    made = applied()
    materialize(made, None, NOW - 2000 * HOUR, NOW)
    record_baseline(made, until=NOW)
    return made


def test_a_baseline_is_a_file_beside_the_registry(mine):
    place = folder(mine)
    assert place == mine.config.repo_path / "baselines"
    definition = mine.get_feature_view("sales")
    path = place / f"sales-{definition_hash(definition)}.json"
    content = json.loads(path.read_text())
    assert content["rows"] == sales().height
    assert content["features"]["price"]["null_rate"] == 0
    found = read_baseline(mine, definition)
    assert (found.newest, found.freshness) == (NOW, 0.0)
    assert found.features["kind"].values == ["small", "medium", "large"]
    path.write_text("{}")
    with pytest.raises(StorageError, match="not a baseline"):
        read_baseline(mine, definition)


def test_a_view_that_keeps_its_promises_raises_no_alarm(mine):
    found = {quality.view: quality for quality in check_quality(mine, now=NOW, since=NOW - 5 * DAY)}
    selling = found["sales"]
    assert [str(alarm) for quality in found.values() for alarm in quality.alarms] == []
    assert (selling.compared, selling.missing, selling.age) == (True, 0.0, dt.timedelta(0))
    assert {feature.name: feature.drift for feature in selling.features} == {
        "price": 0.0,
        "rate": 0.0,
        "pieces": 0.0,
        "kind": 0.0,
        "open": 0.0,
        "recent": None,
    }
    # A register that does not change has no new rows.
    assert (found["towns"].rows, found["towns"].features[0].drift) == (0, None)


def test_drift_nulls_age_and_missing_entities_are_told(mine):
    later = sales(hours=range(0, 20), factor=3.0, unsold=0.3).with_columns(
        pl.col("event_timestamp") + 2 * DAY, kind=pl.lit("huge")
    )
    write(mine.config.repo_path, "sales", later, "part-1")
    now = NOW + 2 * DAY + 13 * HOUR
    (found,) = check_quality(mine, ["sales"], now=now)
    assert found.rows == later.height
    assert {(alarm.feature, alarm.measure) for alarm in found.alarms} == {
        (None, "missing"),
        ("price", "null_rate"),
        ("price", "drift"),
        ("rate", "drift"),
        ("kind", "drift"),
    }
    texts = [str(alarm) for alarm in found.alarms]
    assert "sales: 100.0% of current entities are not online, 1.0% may be" in texts
    assert any(text.startswith("sales.kind: L-infinity distance") for text in texts)
    (stale,) = check_quality(mine, ["sales"], now=now + DAY)
    assert stale.missing is None
    (old,) = [alarm for alarm in stale.alarms if alarm.measure == "age"]
    assert str(old) == "sales: the newest row is 1 day, 13:00:00 old, 1 day, 0:00:00 is allowed"


def test_without_a_baseline_ages_and_tags_are_checked_alone(applied):
    made = applied()
    found = {quality.view: quality for quality in check_quality(made, now=NOW + 50 * DAY)}
    assert not found["sales"].compared
    alarms = [str(alarm) for quality in found.values() for alarm in quality.alarms]
    assert alarms == [
        "sales: the newest row is 50 days, 0:00:00 old, 1 day, 0:00:00 is allowed",
        "towns: the newest row is 87 days, 12:00:00 old, 60 days, 0:00:00 is allowed",
        "towns: 100.0% of current entities are not online, 1.0% may be",
        "world: the newest row is 50 days, 3:00:00 old, 1 day, 0:00:00 is allowed",
    ]


def test_unknown_views_and_empty_times_are_told(mine):
    with pytest.raises(ConfigError, match="no feature view 'sale'") as error:
        check_quality(mine, ["sale"], now=NOW)
    assert error.value.fix == "Did you mean 'sales'?"
    with pytest.raises(DataError, match="'towns' has no row from"):
        record_baseline(mine, ["towns"], since=NOW - DAY, until=NOW)
