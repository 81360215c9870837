"""What is written: Feast's bytes, never an older value over a newer one."""

import datetime as dt
import sqlite3

import polars as pl
import pyarrow as pa
import pytest
import redis

from headrace.components.shared.errors import ConfigError, DataError
from headrace.feature_store.online import (
    OnlineReader,
    UnknownFeaturesError,
    WriteResult,
    materialize,
    materialize_incremental,
    write_features,
)

from .conftest import EPOCH, NOW, ago, drivers, routes, world

VIEWS = ["numbers", "things", "route", "weather"]


def content(store, server):
    number = int(store.config.online_store.connection_string.rpartition("=")[2])
    client = redis.Redis(port=server.port, db=number)
    return {key: client.hgetall(key) for key in client.scan_iter()}


def rates(store, *driver_ids):
    reader = OnlineReader(store, ["numbers:score"], now=lambda: EPOCH)
    return reader.read({"driver_id": list(driver_ids)}).to_dict()["score"]


def row(score, *, driver=1, **age):
    template = drivers().filter(pl.col("driver_id") == driver).head(1)
    return template.with_columns(
        score=pl.lit(score), event_timestamp=pl.lit(ago(**age)), created=pl.lit(ago(**age))
    )


def test_materialised_bytes_are_feasts(store, stores, redis_server):
    mine = stores()
    materialize(mine, VIEWS, ago(days=400), NOW)
    oil = b"\x00\x00\x00\x00proj"  # Feast writes this under a key that it does not read
    theirs = {key: value for key, value in content(store, redis_server).items() if key != oil}
    assert content(mine, redis_server) == theirs
    assert len(theirs) == 68


def test_materialising_twice_or_in_small_pieces_changes_nothing(stores, redis_server):
    mine = stores()
    first = materialize(mine, None, ago(days=400), NOW)
    before = content(mine, redis_server)
    assert materialize(mine, None, ago(days=400), NOW, chunk_rows=7) == first
    assert content(mine, redis_server) == before
    assert first["oil"] == WriteResult(1, 0)


def test_the_interval_is_in_the_registry_and_the_next_one_follows(stores):
    mine = stores()
    materialize(mine, ["route"], ago(hours=400), ago(hours=2))
    end = mine.get_feature_view("route").most_recent_end_time
    assert end == ago(hours=2)
    results = materialize_incremental(mine, ["route", "weather"], NOW, now=lambda: EPOCH)
    assert results["route"].written == 3  # two hours ago, one hour ago, now
    assert results["weather"].written == 4
    assert mine.get_feature_view("route").materialization_intervals[-1] == (end, NOW)


@pytest.mark.parametrize("where", ["stores", "sqlite_stores"])
def test_an_older_value_never_replaces_a_newer_one(request, where):
    mine = request.getfixturevalue(where)()
    assert write_features(mine, "numbers", row(1.0, hours=3)) == WriteResult(1, 0)
    assert write_features(mine, "numbers", row(2.0, hours=4)) == WriteResult(0, 1)
    assert rates(mine, 1) == [1.0]
    assert write_features(mine, "numbers", row(3.0, hours=3)) == WriteResult(1, 0)
    assert rates(mine, 1) == [3.0]
    assert write_features(mine, "numbers", row(4.0, hours=2)) == WriteResult(1, 0)
    assert rates(mine, 1) == [4.0]


def test_times_are_compared_exactly(stores):
    mine = stores()
    moments = [
        dt.datetime(1905, 1, 1, tzinfo=dt.UTC),
        dt.datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=dt.UTC),
        dt.datetime(1970, 1, 1, tzinfo=dt.UTC),
        dt.datetime(1970, 1, 1, 0, 0, 0, 1, tzinfo=dt.UTC),
        dt.datetime(2013, 1, 1, 0, 0, 0, 127, tzinfo=dt.UTC),
        dt.datetime(2013, 1, 1, 0, 0, 0, 128, tzinfo=dt.UTC),
        dt.datetime(2013, 1, 1, 0, 0, 1, tzinfo=dt.UTC),
    ]
    for place, moment in enumerate(moments):
        newer = row(float(place), hours=0).with_columns(event_timestamp=pl.lit(moment))
        assert write_features(mine, "numbers", newer) == WriteResult(1, 0)
        for older in moments[:place]:
            frame = newer.with_columns(event_timestamp=pl.lit(older))
            assert write_features(mine, "numbers", frame) == WriteResult(0, 1)


def test_of_rows_with_one_key_the_newest_counts(stores):
    mine = stores()
    rows = [row(1.0, hours=3), row(2.0, hours=2), row(9.0, hours=4)]
    assert write_features(mine, "numbers", pl.concat(rows)) == WriteResult(1, 2)
    assert rates(mine, 1) == [2.0]
    corrected = pl.concat([row(7.0, hours=1), row(6.0, hours=1)])
    created = [ago(minutes=10), ago(minutes=20)]
    frame = corrected.with_columns(created=pl.Series(created))
    assert write_features(mine, "numbers", frame) == WriteResult(1, 1)
    assert rates(mine, 1) == [7.0]


def test_a_reader_is_written_batch_by_batch(stores):
    mine = stores()
    table = drivers().to_arrow(compat_level=pl.CompatLevel.oldest())
    batches = table.to_batches(max_chunksize=11)
    source = pa.RecordBatchReader.from_batches(table.schema, batches)
    result = write_features(mine, "numbers", source)
    assert result.written + result.skipped_older == 120
    whole = stores()
    write_features(whole, "numbers", table)
    everyone = range(60)
    assert rates(mine, *everyone) == rates(whole, *everyone)


def test_feasts_push_and_ours_mix(stores):
    mine = stores()
    write_features(mine, "numbers", row(1.0, hours=2))
    mine.push("drivers_push", row(5.0, hours=1).to_pandas())
    assert rates(mine, 1) == [5.0]
    write_features(mine, "numbers", row(6.0, minutes=90))
    assert rates(mine, 1) == [5.0]
    write_features(mine, "numbers", row(7.0, minutes=30))
    feast = mine.get_online_features(["numbers:score"], [{"driver_id": 1}]).to_dict()
    assert feast["score"] == [7.0]


def test_keys_expire_when_the_configuration_says_so(stores, redis_server):
    mine = stores(key_ttl_seconds=1000)
    write_features(mine, "route", routes())
    number = int(mine.config.online_store.connection_string.rpartition("=")[2])
    client = redis.Redis(port=redis_server.port, db=number)
    assert [0 < client.ttl(key) <= 1000 for key in client.scan_iter()] == [True] * 4


def test_views_without_entities_are_readable_by_feast_too(stores):
    mine = stores()
    write_features(mine, "oil", world())
    assert mine.get_online_features(["oil:oil_price"], [{"x": 1}]).to_dict()["oil_price"] == [98.5]


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (routes().drop("code"), "lack code; they have origin, dest, when, distance"),
        (routes().with_columns(when=pl.lit(1)), "holds int32, not times"),
        (routes().with_columns(dest=pl.lit(None, pl.String)), "'dest' .* is null in 4 rows"),
        (routes().with_columns(miles=pl.lit("x")), "cannot be written as DOUBLE"),
    ],
)
def test_unusable_rows_are_told(empty, frame, words):
    with pytest.raises(DataError, match=words):
        write_features(empty, "route", frame)


def test_views_and_stores_that_are_not_written_here_are_told(empty, sqlite_stores):
    with pytest.raises(DataError, match="'in_python' has no batch source"):
        write_features(empty, "in_python", routes())
    vectors = sqlite_stores()
    vectors.config.online_store.vector_enabled = True
    with pytest.raises(ConfigError, match="SQLite without vectors"):
        write_features(vectors, "route", routes())


def test_unknown_views_and_wrong_times_are_told(empty):
    with pytest.raises(UnknownFeaturesError, match="no feature view 'nothing'"):
        write_features(empty, "nothing", routes())
    with pytest.raises(UnknownFeaturesError, match="nothing"):
        materialize(empty, ["nothing"], ago(days=1), NOW)
    with pytest.raises(ConfigError, match="must start before it ends"):
        materialize(empty, None, NOW, ago(days=1))


def test_a_server_that_forgot_the_script_gets_it_again(empty, redis_server):
    write_features(empty, "route", routes())
    redis.Redis(port=redis_server.port).script_flush()
    assert write_features(empty, "route", routes()) == WriteResult(4, 0)


def test_sqlite_rows_are_feasts(sqlite_store, sqlite_stores):
    mine = sqlite_stores()
    materialize(mine, VIEWS, ago(days=400), NOW)
    for view in VIEWS:
        tables = []
        for store in (mine, sqlite_store):
            connection = sqlite3.connect(store.config.online_store.path)
            columns = "entity_key, feature_name, value, value_text, event_ts, created_ts"
            tables.append(set(connection.execute(f"SELECT {columns} FROM proj_{view}").fetchall()))
        assert tables[0] == tables[1]
        assert tables[0]
