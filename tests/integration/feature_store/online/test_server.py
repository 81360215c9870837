"""The feature server over HTTP: Feast's own client, Feast's own server beside it, and failures."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import polars as pl
import pytest
import uvicorn
from feast.infra.online_stores.remote import RemoteOnlineStoreConfig

from headrace.feature_store.local_redis import LocalRedis, free_port
from headrace.feature_store.online import materialize, write_features
from headrace.feature_store.server.app import FeatureServer

from .conftest import EPOCH, NOW, ago, drivers, make_store, redis_config


class Client:
    def __init__(self, port):
        self.url = f"http://127.0.0.1:{port}"

    def get(self, path):
        return self._ask(urllib.request.Request(self.url + path))

    def post(self, path, body):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"content-type": "application/json"}
        return self._ask(urllib.request.Request(self.url + path, data, headers))

    def features(self, body):
        status, content = self.post("/get-online-features", body)
        return status, json.loads(content)

    def _ask(self, request):
        try:
            with urllib.request.urlopen(request, timeout=20) as response:
                return response.status, response.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()


class Running:
    """A server in a thread of this process."""

    def __init__(self, store, **options):
        app = FeatureServer(store, now=lambda: EPOCH, **options)
        self.port = free_port()
        config = uvicorn.Config(app, port=self.port, log_level="warning", access_log=False)
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)

    def __enter__(self):
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)
        return Client(self.port)

    def __exit__(self, *_):
        self._server.should_exit = True
        self._thread.join()


@pytest.fixture(scope="module")
def client(stores):
    mine = stores()
    materialize(mine, None, ago(days=400), NOW)
    with Running(mine) as running:
        yield running


@pytest.fixture(scope="module")
def remote(client, tmp_path_factory, objects):
    """Feast's own client of a remote online store."""
    online = RemoteOnlineStoreConfig(path=client.url)
    store = make_store(tmp_path_factory.mktemp("remote"), online, [])
    store.apply(objects)
    return store


def test_feasts_client_reads_through_the_server(remote, store):
    rows = [{"driver_id": i, "origin": "JFK", "dest": "SFO"} for i in (1, 2, 2, 3, 99)]
    features = ["numbers:trips", "numbers:score", "things:name", "things:counts", "route:code"]
    answer = remote.get_online_features(features, rows)
    direct = store.get_online_features(features, rows).to_dict()
    statuses = dict(
        zip(
            answer.proto.metadata.feature_names.val,
            [list(result.statuses) for result in answer.proto.results],
            strict=True,
        )
    )
    for name, values in answer.to_dict().items():
        for place, value in enumerate(values):
            if statuses[name][place] == 1:
                assert value == direct[name][place]
            else:
                assert value is None
    assert statuses["trips"][4] == 3  # NOT_FOUND


def test_feasts_client_asks_for_a_service_with_on_demand_features(remote, store):
    rows = [{"driver_id": 1, "factor": 2.5}]
    for service in ("computed", "single"):
        answer = remote.get_online_features(remote.get_feature_service(service), rows).to_dict()
        direct = store.get_online_features(store.get_feature_service(service), rows).to_dict()
        assert answer == direct


def test_feasts_client_writes_through_the_server(remote, client):
    frame = drivers().filter(pl.col("driver_id") == 5).head(1)
    frame = frame.with_columns(score=pl.lit(77.0), event_timestamp=pl.lit(NOW), raw=None)
    remote.write_to_online_store("numbers", frame.to_pandas())
    assert remote.get_online_features(["numbers:score"], [{"driver_id": 5}]).to_dict()["score"] == [
        77.0
    ]


def test_pushed_rows_are_online_at_once_and_older_ones_never_win(client):
    body = {"features": ["numbers:score"], "entities": {"driver_id": [500]}}
    template = drivers().head(1).to_dicts()[0]
    frame = {n: [v] for n, v in template.items() if isinstance(v, int | float | bool)}
    frame |= {"driver_id": [500], "rate": [0.5], "level": [1]}
    for moment, score in (("2013-07-01T11:00:00Z", 1.5), ("2013-07-01T10:00:00", 2.5)):
        frame |= {"event_timestamp": [moment], "created": [moment], "score": [score]}
        pushed = client.post("/push", {"push_source_name": "drivers_push", "df": frame})
        assert pushed == (200, b"")
    answer = client.features(body)[1]
    assert answer["results"][1] == {
        "values": [1.5],
        "statuses": ["PRESENT"],
        "event_timestamps": ["2013-07-01T11:00:00Z"],
    }


def test_values_without_a_form_in_json_are_written_as_feast_does(client, stores):
    answer = client.features({"feature_service": "driver", "entities": {"driver_id": [3]}})[1]
    values = dict(zip(answer["metadata"]["feature_names"], answer["results"], strict=True))
    assert isinstance(values["since"]["values"][0], int)
    mine = stores()
    frame = (
        drivers()
        .head(1)
        .with_columns(
            driver_id=pl.lit(1),
            recent=pl.lit([float("nan"), 1.0, float("-inf")]),
            raw=pl.lit(b"\xff"),
        )
    )
    write_features(mine, "things", frame)
    with Running(mine) as other:
        body = {"features": ["things:recent", "things:raw"], "entities": {"driver_id": [1]}}
        answer = other.features(body)[1]
    assert answer["results"][1]["values"] == [["NaN", 1.0, "-Infinity"]]
    assert answer["results"][2]["values"] == ["/w=="]


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (b"{", 422, "is no JSON"),
        (b"[]", 422, "must be an object, but got list"),
        ({"entities": {"driver_id": [1]}}, 422, "asks for no features"),
        ({"features": ["numbers:trips"]}, 422, "'entities' must be an object of lists"),
        ({"features": ["numbers:trips"], "entities": {}}, 422, "lacks 'driver_id'"),
        ({"features": ["numbers:trips"], "entities": {"driver_id": ["x"]}}, 422, "INT64"),
        ({"feature_service": "no", "entities": {"driver_id": [1]}}, 404, "no feature service 'no'"),
        ({"features": ["no:no"], "entities": {"driver_id": [1]}}, 404, "cannot be read"),
    ],
)
def test_bad_requests_are_told(client, body, status, words):
    got, answer = client.features(body)
    assert got == status
    assert words in answer["detail"]
    assert answer["fix"]


def test_bad_pushes_are_told(client):
    for body, status, words in (
        ({"push_source_name": "no", "df": {}}, 404, "push source 'no'"),
        ({"push_source_name": "drivers_push", "df": []}, 422, "'df' must be"),
        ({"push_source_name": "drivers_push", "df": {"x": [1]}, "to": "space"}, 422, "'to' must"),
        ({"push_source_name": "drivers_push", "df": {"x": [1]}}, 422, "lack driver_id"),
        (
            {"push_source_name": "drivers_push", "df": {"event_timestamp": ["soon"]}},
            422,
            "is no time",
        ),
    ):
        got, answer = client.post("/push", body)
        assert (got, words in json.loads(answer)["detail"]) == (status, True), answer


def test_unknown_paths_and_methods_are_told(client):
    assert client.get("/nothing")[0] == 404
    assert client.get("/push")[0] == 405


def test_metrics_count_stale_and_unknown_rows_and_their_age(client):
    entities = {"driver_id": [0, 1, 999]}
    client.features({"features": ["numbers:trips"], "entities": entities})
    client.features({"features": ["numbers:trips"], "entities": {}})
    text = client.get("/metrics")[1].decode()
    assert 'headrace_feature_rows_total{status="not_found",view="numbers"}' in text
    assert 'headrace_feature_rows_total{status="present",view="numbers"}' in text
    assert 'headrace_feature_age_seconds_bucket{le="86400.0",view="numbers"}' in text
    assert 'requests_total{path="/get-online-features",status="422"}' in text
    assert 'latency_seconds_count{path="/get-online-features"}' in text


def test_a_store_that_is_down_or_hangs_is_told_and_comes_back(tmp_path, objects):
    body = {"features": ["route:code"], "entities": {"origin": ["JFK"], "dest": ["LAX"]}}
    with LocalRedis(persistent=True, fsync="always") as redis:
        mine = make_store(tmp_path, redis_config(redis), objects)
        materialize(mine, ["route"], ago(days=400), NOW)
        with Running(mine, timeout=0.2) as other:
            assert other.features(body)[0] == 200
            assert other.get("/ready") == (200, b"")
            redis.kill()
            status, answer = other.features(body)
            assert (status, "did not answer" in answer["detail"]) == (503, True)
            assert other.get("/ready")[0] == 503
            assert other.get("/health") == (200, b"")
            redis.start()
            assert other.features(body)[1]["results"][2]["values"] == ["JFKLAX"]
            redis.pause()
            start = time.monotonic()
            threads = [threading.Thread(target=other.features, args=[body]) for _ in range(6)]
            for thread in threads:
                thread.start()
            assert other.get("/health")[0] == 200
            for thread in threads:
                thread.join()
            assert time.monotonic() - start < 1.5  # one after the other it would be longer
            redis.resume()
            assert other.features(body)[0] == 200


def test_answers_equal_those_of_feasts_server(tmp_path, stores):
    """Where nothing is stale, unknown or null: there Feast's statuses have another meaning."""
    mine = stores()
    materialize(mine, ["weather", "route"], ago(days=400), NOW)
    online = mine.config.online_store.connection_string
    (tmp_path / "feature_store.yaml").write_text(
        f"project: proj\nprovider: local\nregistry: {mine.config.registry.path}\n"
        "entity_key_serialization_version: 3\noffline_store: {type: duckdb}\n"
        f'online_store: {{type: redis, connection_string: "{online}"}}\n'
    )
    port = free_port()
    feast = Path(sys.executable).with_name("feast")
    command = [feast, "-c", tmp_path, "serve", "-p", str(port), "--no-access-log"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    environment = {**os.environ, "PYTHONOPTIMIZE": "1"}
    process = subprocess.Popen(command, **quiet, env=environment, start_new_session=True)
    try:
        theirs = Client(port)
        with Running(mine) as ours:
            _wait(theirs)
            for body in (
                {"features": ["weather:wind"], "entities": {"airport": ["JFK", "LAX"]}},
                {
                    "feature_service": "both_ends",
                    "entities": {"origin": ["JFK", "LGA"], "dest": ["SFO", "SFO"]},
                    "full_feature_names": True,
                },
                {
                    "features": ["route:code"],
                    "entities": {"origin": ["LGA"], "dest": ["SFO"]},
                    "include_feature_view_version_metadata": True,
                },
            ):
                status, answer = theirs.features(body)
                assert (status, _by_name(answer)) == (200, _by_name(ours.features(body)[1]))
                same = answer["metadata"].get("feature_view_metadata")
                assert ours.features(body)[1]["metadata"].get("feature_view_metadata") == same
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # it has a worker process
        process.wait()


def _by_name(answer):
    return dict(zip(answer["metadata"]["feature_names"], answer["results"], strict=True))


def _wait(client):
    for _ in range(300):
        try:
            if client.get("/health")[0] == 200:
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError("Feast's server did not start")
