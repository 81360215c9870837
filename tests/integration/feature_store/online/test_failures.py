"""What happens when the store is down, slow, locked, restarted or full."""

import os
import sqlite3
import subprocess
import sys
import textwrap
import threading
import time

import pytest
import redis as client_library

from headrace.components.shared.errors import StorageError
from headrace.feature_store.local_redis import LocalRedis, free_port
from headrace.feature_store.online import OnlineReader, OnlineStoreError, Status, write_features
from headrace.feature_store.online.redis_store import connect

from .conftest import EPOCH, make_store, redis_config, routes

ROUTE = {"origin": ["JFK"], "dest": ["LAX"]}


def code(store, **options):
    reader = OnlineReader(store, ["route:code"], now=lambda: EPOCH, **options)
    return lambda: reader.read(ROUTE).to_dict()["code"]


@pytest.fixture
def server():
    with LocalRedis(persistent=True, fsync="always") as running:
        yield running


@pytest.fixture
def mine(server, tmp_path, objects):
    store = make_store(tmp_path, redis_config(server), objects)
    write_features(store, "route", routes())
    return store


def test_nothing_that_was_written_is_lost_when_the_server_is_killed(server, mine):
    read = code(mine)
    assert read() == ["JFKLAX"]
    for _ in range(2):
        server.restart()
        assert read() == ["JFKLAX"]


def test_a_server_that_is_down_is_told_at_once(server, mine):
    read = code(mine)
    read()
    server.kill()
    start = time.monotonic()
    with pytest.raises(OnlineStoreError, match=f"127.0.0.1:{server.port} did not answer") as told:
        read()
    assert time.monotonic() - start < 1
    assert (told.value.http_status, "connection_string" in told.value.fix) == (503, True)
    with pytest.raises(OnlineStoreError, match="did not answer"):
        write_features(mine, "route", routes())
    server.start()
    assert read() == ["JFKLAX"]


def test_a_server_that_hangs_is_told_in_time_and_late_answers_go_to_nobody(server, mine):
    reader = OnlineReader(mine, ["route:code"], now=lambda: EPOCH, timeout=0.1)
    answers = {("JFK", "LAX"): "JFKLAX", ("LGA", "SFO"): "LGASFO", ("JFK", "SFO"): None}

    def read(pair):
        return reader.read({"origin": [pair[0]], "dest": [pair[1]]}).to_dict()["code"][0]

    reader.read(ROUTE)
    server.pause()
    start = time.monotonic()
    for pair in answers:
        with pytest.raises(OnlineStoreError, match="Timeout"):
            read(pair)
    assert time.monotonic() - start < 1
    server.resume()
    for pair, expected in answers.items():
        assert read(pair) in (expected, "".join(pair))


def test_the_connection_strings_own_time_out_wins(server, mine):
    config = mine.config.model_copy(deep=True)
    config.online_store.connection_string += ",socket_timeout=0.05"
    client = connect(config, timeout=9)
    assert client.connection_pool.connection_kwargs["socket_timeout"] == 0.05
    assert client.connection_pool.connection_kwargs["socket_connect_timeout"] == 9


def test_many_threads_read_while_the_server_restarts(server, mine):
    """Each answer is right or an error; never another one's."""
    reader = OnlineReader(mine, ["route:code"], now=lambda: EPOCH, timeout=0.5)
    end, wrong, right, failed = time.monotonic() + 1.5, [], [], []

    def ask(pair):
        while time.monotonic() < end:
            try:
                found = reader.read({"origin": [pair[0]], "dest": [pair[1]]}).to_dict()["code"]
            except OnlineStoreError as error:
                failed.append(error)
                continue
            (right if found == ["".join(pair)] else wrong).append(found)

    pairs = [("JFK", "LAX"), ("LGA", "SFO")] * 2
    threads = [threading.Thread(target=ask, args=[pair]) for pair in pairs]
    for thread in threads:
        thread.start()
    for _ in range(3):
        time.sleep(0.3)
        server.restart()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len(right) > 100


def test_a_child_process_does_not_use_its_parents_connections(server, mine):
    reader = OnlineReader(mine, ["route:code"], now=lambda: EPOCH)
    reader.read(ROUTE)
    child = os.fork()
    origin, dest = ("JFK", "LAX") if child else ("LGA", "SFO")
    right = all(
        reader.read({"origin": [origin], "dest": [dest]}).to_dict()["code"] == [origin + dest]
        for _ in range(500)
    )
    if not child:
        os._exit(0 if right else 1)
    assert right
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_sentinels_are_asked_for_the_server(mine):
    config = mine.config.model_copy(deep=True)
    config.online_store.redis_type = "redis_sentinel"
    config.online_store.connection_string = "one:26379,two:26379,password=secret"
    client = connect(config, timeout=0.3)
    pool = client.connection_pool
    assert (pool.service_name, pool.is_master) == ("mymaster", True)
    assert pool.connection_kwargs["password"] == "secret"
    assert pool.connection_kwargs["socket_timeout"] == 0.3


def test_what_was_evicted_is_not_found(server, mine):
    connection = client_library.Redis(port=server.port)
    connection.delete(*connection.scan_iter())
    reader = OnlineReader(mine, ["route:code"], now=lambda: EPOCH)
    assert reader.read(ROUTE).statuses["code"] == [Status.NOT_FOUND]


def test_a_full_server_is_told_when_writing_and_still_read(server, mine):
    client_library.Redis(port=server.port).config_set("maxmemory", 1)
    with pytest.raises(OnlineStoreError, match="OutOfMemoryError"):
        write_features(mine, "route", routes())
    assert code(mine)() == ["JFKLAX"]


def test_foreign_or_damaged_content_is_told(server, mine):
    connection = client_library.Redis(port=server.port)
    keys = list(connection.scan_iter())
    field = next(name for name in connection.hkeys(keys[0]) if not name.startswith(b"_ts"))
    for key in keys:
        for name in connection.hkeys(key):
            if not name.startswith(b"_ts"):
                connection.hset(key, name, b"\x12\xff\xff")
    with pytest.raises(OnlineStoreError, match="no feature value"):
        code(mine)()
    assert field
    for key in keys:
        connection.delete(key)
        connection.set(key, "text")
    with pytest.raises(OnlineStoreError, match="WRONGTYPE"):
        code(mine)()


def test_a_password_is_needed_and_used(tmp_path, objects):
    with LocalRedis(password="p@ss w:rd/1") as locked:
        mine = make_store(tmp_path, redis_config(locked), objects)
        write_features(mine, "route", routes())
        assert code(mine)() == ["JFKLAX"]
        assert client_library.Redis.from_url(locked.url).dbsize() == 4
        mine.config.online_store.connection_string = f"127.0.0.1:{locked.port}"
        with pytest.raises(OnlineStoreError, match="Authentication"):
            code(mine)()


def test_a_missing_table_or_locked_file_is_told(sqlite_stores):
    mine = sqlite_stores()
    path = mine.config.online_store.path
    with sqlite3.connect(path) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        with pytest.raises(OnlineStoreError, match="locked"):
            code(mine, timeout=0.1)()
        holder.rollback()
        holder.execute("DROP TABLE proj_route")
    with pytest.raises(OnlineStoreError, match="no such table"):
        code(mine)()
    with pytest.raises(OnlineStoreError, match="no such table"):
        write_features(mine, "route", routes())


def test_the_server_ends_with_its_parent(tmp_path):
    script = textwrap.dedent(
        """
        import os, signal
        from headrace.feature_store.local_redis import LocalRedis
        server = LocalRedis().start()
        print(server.pid, server.folder, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)
        """
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    pid = int(done.stdout.split()[0])
    for _ in range(100):
        if not os.path.exists(f"/proc/{pid}"):
            return
        time.sleep(0.02)
    raise AssertionError(f"process {pid} still runs")


def test_stopping_leaves_nothing_and_a_folder_of_ones_own_is_kept(tmp_path):
    with LocalRedis() as temporary:
        pid, folder = temporary.pid, temporary.folder
    assert (os.path.exists(f"/proc/{pid}"), folder.exists()) == (False, False)
    with LocalRedis(tmp_path / "mine", persistent=True) as first:
        client_library.Redis(port=first.port).set("a", 1)
    with LocalRedis(tmp_path / "mine", persistent=True) as second:
        assert client_library.Redis(port=second.port).get("a") == b"1"


def test_a_server_that_cannot_start_says_why():
    with LocalRedis(port=free_port()) as first, pytest.raises(StorageError, match="in use"):
        LocalRedis(port=first.port).start()


def test_memory_can_be_limited():
    with LocalRedis(max_memory="3mb") as small:
        connection = client_library.Redis(port=small.port)
        for number in range(100):
            connection.set(f"key{number}", "x" * 50_000)
        assert 0 < connection.dbsize() < 100
