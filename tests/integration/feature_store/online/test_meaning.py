"""What stale, unknown and future rows are, and what cannot be read fast."""

import logging

import polars as pl
import pytest
from feast import FeatureView, Field, FileSource
from feast.types import Map

from headrace.components.shared.errors import ProjectCodeError
from headrace.feature_store.online import OnlineReader, Status, write_features

from .conftest import DRIVERS, EPOCH, NOW, ago, drivers, routes

PRESENT, NULL, UNKNOWN, STALE = (
    Status.PRESENT,
    Status.NULL_VALUE,
    Status.NOT_FOUND,
    Status.OUTSIDE_MAX_AGE,
)
MICRO = 1e-6


def row(driver, moment, **values):
    frame = drivers().head(1)
    columns = {"driver_id": driver, "event_timestamp": moment, "created": moment, **values}
    return frame.with_columns(**{name: pl.lit(value) for name, value in columns.items()})


@pytest.fixture(params=["stores", "sqlite_stores"])
def mine(request):
    return request.getfixturevalue(request.param)()


def test_a_row_counts_from_its_time_until_its_age_is_the_ttl(mine):
    write_features(mine, "numbers", row(1, ago(days=1), score=5.0))
    for seconds, value, status, time in (
        (0, 5.0, PRESENT, EPOCH - 86400),
        (MICRO, None, STALE, EPOCH - 86400),
        (1000, None, STALE, EPOCH - 86400),
        (-86400, 5.0, PRESENT, EPOCH - 86400),
        (-86400 - MICRO, None, UNKNOWN, 0),
    ):
        reader = OnlineReader(mine, ["numbers:score"], now=lambda s=seconds: EPOCH + s)
        answer = reader.read({"driver_id": [1]})
        assert answer.to_dict() == {"driver_id": [1], "score": [value]}
        assert answer.statuses == {"driver_id": [PRESENT], "score": [status]}
        assert answer.event_timestamps["score"] == [time]


def test_a_view_without_ttl_never_gets_stale(mine):
    write_features(mine, "things", row(1, ago(days=9000), name="Ann"))
    answer = OnlineReader(mine, ["things:name"], now=lambda: EPOCH).read({"driver_id": [1]})
    assert (answer.to_dict()["name"], answer.statuses["name"]) == (["Ann"], [PRESENT])


def test_nulls_unknown_and_stale_rows_are_told_apart_in_any_order(mine):
    write_features(mine, "numbers", row(1, ago(hours=1), score=5.0))
    write_features(mine, "numbers", row(2, ago(hours=1), score=None))
    write_features(mine, "numbers", row(3, ago(days=3), score=7.0))
    reader = OnlineReader(mine, ["numbers:score"], now=lambda: EPOCH)
    answer = reader.read([{"driver_id": i} for i in (3, 1, 4, 2, 1, 3)])
    assert answer.to_dict()["score"] == [None, 5.0, None, None, 5.0, None]
    expected = [STALE, PRESENT, UNKNOWN, NULL, PRESENT, STALE]
    assert answer.statuses["score"] == expected


def test_no_rows_give_no_rows(mine):
    answer = OnlineReader(mine, ["numbers:score"], now=lambda: EPOCH).read({"driver_id": []})
    assert answer.to_dict(include_event_timestamps=True)["score"] == []
    assert answer.statuses["score"] == []


def test_views_with_the_same_key_are_one_look_up(mine):
    reader = OnlineReader(mine, "driver", now=lambda: EPOCH)
    assert [{view.name for view in group.views} for group in reader.plan.groups] == [
        {"numbers", "things"}
    ]
    write_features(mine, "things", row(1, ago(hours=1), name="Ann"))
    answer = reader.read({"driver_id": [1]})
    assert (answer.to_dict()["name"], answer.statuses["trips"]) == (["Ann"], [UNKNOWN])


def test_the_clock_may_stand_in_the_past(mine):
    write_features(mine, "route", routes())
    answers = []
    for hours in (0, 1, 4):
        reader = OnlineReader(mine, ["route:code"], now=lambda h=hours: EPOCH - 3600 * h)
        entities = {"origin": ["JFK", "LGA"], "dest": ["LAX", "SFO"]}
        answers.append(reader.read(entities).statuses["code"])
    assert answers == [[PRESENT, PRESENT], [UNKNOWN, PRESENT], [UNKNOWN, UNKNOWN]]


def test_functions_on_demand_see_none_for_stale_rows_and_are_blamed_for_failing(store):
    reader = OnlineReader(store, "single", now=lambda: EPOCH + 10 * 86400)
    answer = reader.read([{"driver_id": i, "factor": 1.0} for i in range(3)])
    assert answer.to_dict()["one"] == [None] * 3
    failing = OnlineReader(store, ["in_python:scaled"], now=lambda: EPOCH)
    with pytest.raises(ProjectCodeError, match="'in_python' raised TypeError"):
        failing.read([{"driver_id": 1, "factor": None}])


def test_singleton_functions_get_every_row(store):
    rows = [{"driver_id": i % DRIVERS, "factor": float(i)} for i in range(70)]
    many = OnlineReader(store, "single", now=lambda: EPOCH).read(rows).to_dict()["one"]
    single = OnlineReader(store, "single", now=lambda: EPOCH)
    assert many == [single.read([row]).to_dict()["one"][0] for row in rows]


def test_feast_reads_what_the_fast_path_cannot_and_that_is_told(store, monkeypatch, caplog):
    monkeypatch.setattr(store.config, "entity_key_serialization_version", 2)
    with caplog.at_level(logging.WARNING):
        reader = OnlineReader(store, "driver", now=lambda: EPOCH)
    assert "entity_key_serialization_version is 2" in caplog.text
    monkeypatch.undo()  # Feast itself must find the keys
    fast = OnlineReader(store, "driver", now=lambda: EPOCH)
    for rows in ([{"driver_id": 1}], [{"driver_id": i} for i in (1, 77, 5, 1)]):
        slow_answer, fast_answer = reader.read(rows), fast.read(rows)
        assert slow_answer.fallback == reader.fallback
        assert fast_answer.fallback is None
        assert slow_answer.to_dict(True) == fast_answer.to_dict(True)
        stale = {name: set(map(int, s)) for name, s in slow_answer.statuses.items()}
        assert stale == {name: set(map(int, s)) for name, s in fast_answer.statuses.items()}
    assert (reader.fallbacks, fast.fallbacks) == (2, 0)


def test_types_without_a_decoder_are_feasts_values(tmp_path, sqlite_stores, objects):
    mine = sqlite_stores()
    driver = next(item for item in objects if item.name == "driver")
    frame = pl.DataFrame({"driver_id": [1], "event_timestamp": [NOW], "settings": ['{"a": "b"}']})
    frame.write_parquet(tmp_path / "maps.parquet")
    source = FileSource(path=str(tmp_path / "maps.parquet"), timestamp_field="event_timestamp")
    maps = FeatureView(
        name="maps", entities=[driver], schema=[Field(name="settings", dtype=Map)], source=source
    )
    mine.apply([driver, maps])
    write_features(mine, "maps", frame)
    answer = OnlineReader(mine, ["maps:settings"], now=lambda: EPOCH).read({"driver_id": [1]})
    assert answer.to_dict()["settings"] == [{"a": "b"}]
