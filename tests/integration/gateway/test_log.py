"""The prediction log: what it holds, what it hides, and that it is never in the way."""

from __future__ import annotations

import polars as pl
import pytest
from pyarrow import parquet

from headrace.components.shared.errors import ConfigError
from headrace.feature_store.quality import skew
from headrace.feature_store.repo import open_store
from headrace.serving.gateway.gateway import Gateway

from .rides import RIDE, SERVICE, predict, until

FAILED = RIDE | {"driver_id": 1, "distance": 13.0}


def test_the_log_holds_what_was_served_and_agrees_with_training(running):
    model = {"features": {"load": {"unknown": "default", "default": 0.5}}}
    with running.serving(model=model) as client:
        rows = [RIDE | {"driver_id": number} for number in (1, 2, 3, 4)]
        predict(client, *rows, headers={"X-Request-ID": "four"})
        predict(client, FAILED, headers={"X-Request-ID": "broken"})
        predict(client, {**RIDE, "city": "Oslo"}, headers={"X-Request-ID": "filled"})
    log = running.log().sort("__request_id", "__row")
    assert log["__request_id"].to_list() == ["broken", "filled", *["four"] * 4]
    broken, filled, first = log.row(0, named=True), log.row(1, named=True), log.row(2, named=True)
    assert (broken["__outcome"], broken["driver_id"]) == ("failed", 1)
    assert "ValueError: unlucky" in broken["__error"]
    assert (filled["load"], filled["load__status"]) == (0.5, "NOT_FOUND")
    assert filled["__defaulted"] == ["load"]
    assert (first["rate"], first["trips"], first["effort"], first["phone"]) == (
        0.5,
        3,
        30,
        "+39 6 1",
    )
    assert first["rate__timestamp"].isoformat() == "2026-03-01T11:59:00+00:00"
    assert (first["__output_score"], first["__outcome"]) == (38.625, "answered")
    assert (first["__model"], first["__version"], first["__signature"]) == (
        "rides",
        1,
        "raw_tensors",
    )
    assert first["__latency_ms"] > 0
    four = log.filter(pl.col("__request_id") == "four")
    assert four["rate__status"].to_list() == ["PRESENT", "OUTSIDE_MAX_AGE", "PRESENT", "NOT_FOUND"]
    assert four["trips__status"].to_list()[2] == "NULL_VALUE"

    store = open_store(running.repo)
    folder = running.folder / ".headrace" / "predictions" / "rides" / "1"
    compared = skew.compare_logs(store, SERVICE, parquet.read_table(folder))
    assert compared.rows == 5, "the failed one does not count"
    # A value that the policy made up is not what the model was trained on, and shows.
    assert [f.name for f in compared.differing] == ["cities__load"]
    assert compared.differences == 1


def test_sensitive_columns_are_hashed_or_left_out(running, monkeypatch):
    monkeypatch.setenv("HEADRACE_LOG_KEY", "a long random text")
    rules = {"sensitive": {"personal": "leave_out"}, "columns": {"rider_id": "hash"}}
    with running.serving(predictions=rules) as client:
        predict(client, RIDE, RIDE, RIDE | {"rider_id": "bob"})
    log = running.log()
    hidden = {"rider_id", "rating", "phone", "rating__status", "phone__timestamp"}
    assert hidden.isdisjoint(log.columns)
    assert {"rate", "driver_id"} <= {*log.columns}
    ann, again, bob = log["rider_id__hashed"].to_list()
    assert ann == again != bob
    assert len(ann) == 32


def test_hashes_need_a_key(running, monkeypatch):
    monkeypatch.delenv("HEADRACE_LOG_KEY", raising=False)
    config = running.configure(predictions={"columns": {"rider_id": "hash"}})
    with pytest.raises(ConfigError, match="HEADRACE_LOG_KEY with their key is not set"):
        Gateway(config)


def test_files_can_be_read_while_more_is_written(running):
    with running.serving(predictions={"rotate_seconds": 0.2}) as client:
        predict(client, RIDE)
        until(lambda: list((running.folder / ".headrace" / "predictions").rglob("*.parquet")))
        assert running.log().height == 1
        predict(client, RIDE, RIDE)
    assert running.log().height == 3


def test_a_full_disk_loses_rows_and_nothing_else(running, mounted):
    place = mounted(".headrace/predictions", "64k")
    full = place / "full"
    with running.serving(predictions={"rotate_seconds": 0.1}) as client:
        with full.open("wb", buffering=0) as stream, pytest.raises(OSError, match="No space"):
            while True:
                stream.write(b"0" * 4096)
        assert predict(client, RIDE, RIDE).status_code == 200
        lost = 'headrace_gateway_prediction_log_rows{result="dropped"} 2.0'
        until(lambda: lost in client.get("/metrics").text)
        assert not list(place.rglob("*parquet*")), "no part of a file is left"
        full.unlink()
        assert predict(client, RIDE).status_code == 200
    assert running.log().height == 1, "it goes on when there is room"


def test_what_does_not_fit_the_queue_is_dropped_and_counted(running):
    with running.serving(predictions={"queue_rows": 2}) as client:
        assert predict(client, *[RIDE] * 5).status_code == 200
        assert 'result="dropped"} 5.0' in client.get("/metrics").text


def test_a_sample_of_nothing_logs_nothing(running):
    with running.serving(predictions={"sample": 0.0}) as client:
        assert predict(client, RIDE).status_code == 200
    assert not (running.folder / ".headrace" / "predictions").exists()
