import os
from datetime import timedelta

import pytest

from headrace.components.shared.errors import SourceError, StorageError
from headrace.feature_store.streaming import log as log_module
from headrace.feature_store.streaming.log import EventLog


@pytest.fixture
def log(tmp_path, shop):
    log = EventLog(tmp_path / "log", shop.schema)
    log.open()
    yield log
    log.close()


def fill(log, shop, batches, first=0):
    for number in range(first, first + batches):
        log.append(shop.events(shop.event(number, number)), shop.noon + timedelta(hours=number))


def reopened(log, shop):
    log.close()
    other = EventLog(log.folder, shop.schema)
    other.open()
    return other


def ids(log, **which):
    return [int(name) for name in log.events(**which)["event_id"]]


def test_what_was_appended_is_there_in_order_of_arrival(log, shop):
    log.append(shop.events(shop.event(2, 9), shop.event(1, 3)), shop.noon)
    log.append(shop.events(shop.event(0, 5)), shop.noon)

    again = reopened(log, shop)

    assert ids(again) == [2, 1, 0]
    assert ids(again, since=shop.noon + timedelta(minutes=5)) == [2, 0]
    assert ids(again, after=1) == [0]
    assert ids(again, up_to=1) == [2, 1]
    assert again.newest(2) == shop.noon + timedelta(minutes=9)
    assert again.last == 2


def test_a_new_log_is_empty(log):
    assert (log.last, log.flushed, log.newest(0), log.created()) == (0, 0, None, None)
    assert log.events().is_empty()


def test_it_remembers_what_was_flushed_and_when_rows_were_made(log, shop):
    fill(log, shop, 3)
    log.mark_flushed(2)

    again = reopened(log, shop)

    assert again.flushed == 2
    assert again.created() == shop.noon + timedelta(hours=2)


def test_many_files_become_one(log, shop):
    fill(log, shop, 150)

    assert len(list(log.folder.glob("*.parquet"))) < 64
    assert ids(log) == list(range(150))
    again = reopened(log, shop)
    assert ids(again) == list(range(150))
    assert ids(again, after=100, up_to=120) == list(range(100, 120))
    assert again.last == 150


def test_large_files_are_left_alone(log, shop, monkeypatch):
    monkeypatch.setattr(log_module, "_LARGE", 64)
    fill(log, shop, 64)
    (large,) = log.folder.glob("*.parquet")
    stamp = large.stat().st_ino

    fill(log, shop, 70, first=64)

    assert large.stat().st_ino == stamp
    assert ids(log) == list(range(134))


def test_a_crash_while_files_are_merged_loses_and_repeats_nothing(log, shop, monkeypatch):
    fill(log, shop, 63)

    def crash(path, *_, **__):
        if path.suffix == ".parquet":
            raise KeyboardInterrupt(path)

    monkeypatch.setattr("pathlib.Path.unlink", crash)
    with pytest.raises(KeyboardInterrupt):
        fill(log, shop, 1, first=63)
    monkeypatch.undo()
    assert len(list(log.folder.glob("*.parquet"))) > 60

    again = reopened(log, shop)

    assert ids(again) == list(range(64))
    assert len(list(again.folder.glob("*.parquet"))) == 1


def test_a_file_that_was_half_written_does_not_count(log, shop):
    fill(log, shop, 1)
    left = log.folder / ".000000000002-000000000002.parquet.tmp"
    left.write_bytes(b"PAR1")

    again = reopened(log, shop)

    assert ids(again) == [0]
    assert not left.exists()


def test_a_second_consumer_is_refused(log, shop):
    with pytest.raises(StorageError) as refused:
        EventLog(log.folder, shop.schema).open()

    assert "is in use by another consumer" in refused.value.message
    assert "Stop it first" in refused.value.fix


def test_a_damaged_file_is_told(log, shop):
    fill(log, shop, 2)
    damaged = sorted(log.folder.glob("*.parquet"))[0]
    damaged.write_bytes(b"nothing")

    with pytest.raises(SourceError, match="not a readable part of the event log"):
        reopened(log, shop)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_told(tmp_path, shop):
    tmp_path.chmod(0o500)
    with pytest.raises(StorageError, match="cannot be written"):
        EventLog(tmp_path / "log", shop.schema).open()


def test_columns_that_views_gained_later_are_null_in_older_files(log, shop):
    from headrace.feature_store.streaming.events import EventSchema

    fill(log, shop, 1)
    log.close()
    wider = EventLog(log.folder, EventSchema(shop.schema.keys, ("amount", "discount")))
    wider.open()

    assert wider.events()["discount"].to_list() == [None]
    wider.close()
