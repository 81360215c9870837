"""Reading and writing when Redis is a cluster, behind TLS, or watched by a sentinel."""

import datetime as dt
import time

import polars as pl
import pytest

from headrace.feature_store.local_redis import LocalRedis
from headrace.feature_store.online import OnlineReader, OnlineStoreError, write_features
from tests.support.certificates import certificate
from tests.support.waiting import eventually

from .conftest import DRIVERS, EPOCH, fill, make_store, redis_config, routes
from .deployments import (
    ask,
    behind_tls,
    cluster,
    link,
    move,
    replica,
    sentinel,
    wait_for_cluster,
)

REQUEST = {
    "driver_id": list(range(DRIVERS + 1)),
    "origin": ["JFK"] * (DRIVERS + 1),
    "dest": ["LAX", "SFO"] * (DRIVERS // 2) + ["nowhere"],
}


def clustered(node):
    return redis_config(node).model_copy(
        update={"connection_string": node.connection_string, "redis_type": "redis_cluster"}
    )


def everything(store):
    """Values, statuses and times of a service over four views."""
    reader = OnlineReader(store, "everything", now=lambda: EPOCH)
    assert reader.fallback is None
    answer = reader.read(REQUEST)
    return answer.to_dict(include_event_timestamps=True), answer.statuses


@pytest.fixture(scope="module")
def nodes():
    with cluster() as running:
        yield running


@pytest.fixture(scope="module")
def spread(nodes, tmp_path_factory, objects):
    """A store on the cluster that only knows of one node, filled by Feast itself."""
    made = make_store(tmp_path_factory.mktemp("repo"), clustered(nodes[0]), objects)
    fill(made)
    return made


def test_a_cluster_answers_what_one_server_answers(nodes, spread, store):
    assert all(link(node).dbsize() > 10 for node in nodes)
    assert everything(spread) == everything(store)


def test_our_writer_leaves_the_same_bytes_on_the_same_nodes(nodes, spread):
    def stored():
        keys = [(node, key) for node in nodes for key in link(node).scan_iter()]
        return {(node.port, key): link(node).hgetall(key) for node, key in keys}

    assert write_features(spread, "route", routes()).written == 4
    before = stored()
    assert write_features(spread, "route", routes()).written == 4
    older = routes().with_columns(pl.col("when") - dt.timedelta(days=1), code=pl.lit("old"))
    assert write_features(spread, "route", older).written == 0
    assert stored() == before
    for node in nodes:
        ask(node, "SCRIPT", "FLUSH")
    assert write_features(spread, "route", routes()).written == 4
    assert stored() == before


@pytest.mark.parametrize("finish", [False, True])
def test_keys_that_move_to_another_node_are_followed(nodes, spread, finish):
    before = everything(spread)
    reader = OnlineReader(spread, "everything", now=lambda: EPOCH)
    reader.read(REQUEST)
    key = next(iter(link(nodes[0]).scan_iter()))
    slot = ask(nodes[0], "CLUSTER", "KEYSLOT", key)
    move(nodes[0], nodes[1], nodes, slot, finish=finish)
    counts = [ask(node, "CLUSTER", "COUNTKEYSINSLOT", slot) for node in nodes]
    assert counts[0] == 0 < counts[1]
    assert reader.read(REQUEST).statuses == before[1]
    assert everything(spread) == before
    assert write_features(spread, "route", routes()).written == 4
    if not finish:
        move(nodes[0], nodes[1], nodes, slot, finish=True)


def test_a_node_that_is_down_is_told_and_its_keys_are_back_with_it(nodes, spread):
    before = everything(spread)
    nodes[2].kill()
    with pytest.raises(OnlineStoreError, match="did not answer"):
        everything(spread)
    with pytest.raises(OnlineStoreError, match="did not answer"):
        write_features(spread, "route", routes())
    nodes[2].start()
    wait_for_cluster(nodes)
    assert everything(spread) == before
    assert write_features(spread, "route", routes()).written == 4


def test_a_node_that_hangs_costs_its_time_out_once_and_not_for_each_key(nodes, spread):
    reader = OnlineReader(spread, "everything", timeout=0.3, now=lambda: EPOCH)
    before = reader.read(REQUEST).to_dict()
    nodes[2].pause()
    start = time.monotonic()
    with pytest.raises(OnlineStoreError, match="did not answer: TimeoutError"):
        reader.read(REQUEST)
    assert time.monotonic() - start < 3
    nodes[2].resume()
    wait_for_cluster(nodes)
    assert reader.read(REQUEST).to_dict() == before


def test_the_replica_of_a_node_takes_over(tmp_path, objects, store):
    with cluster() as nodes, replica(nodes[2], nodes) as second:
        mine = make_store(tmp_path, clustered(nodes[0]), objects)
        fill(mine)
        reader = OnlineReader(mine, "everything", now=lambda: EPOCH)
        before = reader.read(REQUEST).to_dict()
        eventually(lambda: link(second).dbsize() == link(nodes[2]).dbsize())
        nodes[2].kill()
        eventually(lambda: ask(second, "ROLE")[0] == b"master")
        wait_for_cluster([*nodes[:2], second], known=4)
        assert reader.read(REQUEST).to_dict() == before
        assert write_features(mine, "route", routes()).written == 4
        assert everything(mine) == everything(store)


def test_tls_with_a_password(tmp_path, objects, store):
    for name, text in zip(("key", "cert"), certificate(), strict=True):
        (tmp_path / name).write_text(text)
    with (
        LocalRedis(password="s3cret") as server,
        behind_tls(server, tmp_path / "cert", tmp_path / "key") as port,
    ):
        address = f"localhost:{port},ssl=true,password=s3cret"
        online = redis_config(server)
        online.connection_string = f"{address},ssl_ca_certs={tmp_path / 'cert'}"
        mine = make_store(tmp_path, online, objects)
        fill(mine)
        assert write_features(mine, "route", routes()).written == 4
        assert everything(mine) == everything(store)
        mine.config.online_store.connection_string = address
        with pytest.raises(OnlineStoreError, match="CERTIFICATE_VERIFY_FAILED"):
            everything(mine)
        mine.config.online_store.connection_string = address.replace("ssl=true,", "")
        with pytest.raises(OnlineStoreError, match="did not answer"):
            everything(mine)


def test_a_sentinel_hands_over_to_the_replica(tmp_path, objects, store):
    with LocalRedis() as first, LocalRedis() as second, sentinel(first, tmp_path) as watcher:
        ask(second, "REPLICAOF", "127.0.0.1", first.port)
        online = redis_config(first).model_copy(update={"redis_type": "redis_sentinel"})
        online.connection_string = f"127.0.0.1:{watcher.connection_pool.connection_kwargs['port']}"
        mine = make_store(tmp_path, online, objects)
        fill(mine)
        reader = OnlineReader(mine, "everything", now=lambda: EPOCH)
        before = reader.read(REQUEST)
        assert everything(mine) == everything(store)
        eventually(lambda: link(second).dbsize() == link(first).dbsize())
        eventually(lambda: watcher.execute_command("SENTINEL", "REPLICAS", "mymaster"))
        first.kill()
        with pytest.raises(OnlineStoreError, match="did not answer"):
            reader.read(REQUEST)
        eventually(lambda: ask(second, "ROLE")[0] == b"master")
        eventually(lambda: watcher.sentinel_get_master_addr_by_name("mymaster")[1] == second.port)
        assert reader.read(REQUEST).to_dict() == before.to_dict()
        assert write_features(mine, "route", routes()).written == 4
