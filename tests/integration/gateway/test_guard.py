"""Tokens, rates, origins, logs and the command, as a client meets them."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx

from headrace.feature_store.local_redis import free_port

from .rides import RIDE, predict, until

BIN = Path(sys.executable).parent


def _tokens(folder):
    lines = [f"{name} {hashlib.sha256(f'{name}-secret'.encode()).hexdigest()}" for name in "ab"]
    (folder / "tokens.txt").write_text("# name sha256\n" + "\n".join(lines) + "\n")
    return {"tokens": "tokens.txt"}


def test_only_who_has_a_token_may_ask(running):
    with running.serving(auth=_tokens(running.folder)) as client:
        allowed = predict(client, RIDE, headers={"Authorization": "Bearer a-secret"})
        refused = [
            predict(client, RIDE),
            predict(client, RIDE, headers={"Authorization": "Bearer c-secret"}),
            predict(client, RIDE, headers={"Authorization": "Basic a-secret"}),
        ]
        assert client.get("/healthz").status_code == 200
    assert allowed.status_code == 200
    assert [answer.status_code for answer in refused] == [401] * 3
    assert refused[0].headers["www-authenticate"] == "Bearer"
    assert running.log()["__client"].to_list() == ["a"]


def test_a_client_that_asks_too_often_is_told_and_others_are_not(running):
    limits = {"requests_per_second": 0.01, "burst": 2}
    with running.serving(auth=_tokens(running.folder), limits=limits) as client:
        first, other = ({"Authorization": f"Bearer {name}-secret"} for name in "ab")
        statuses = [predict(client, RIDE, headers=first).status_code for _ in range(3)]
        assert statuses == [200, 200, 429]
        assert predict(client, RIDE, headers=other).status_code == 200


def test_web_pages_may_ask_only_when_the_configuration_says_so(running):
    page = {"Origin": "https://example.org"}
    with running.serving() as client:
        assert "access-control-allow-origin" not in predict(client, RIDE, headers=page).headers
    with running.serving(cors={"origins": ["https://example.org"]}) as client:
        answer = predict(client, RIDE, headers=page)
        assert answer.headers["access-control-allow-origin"] == "https://example.org"


def test_the_command_serves_and_logs_lines_for_elasticsearch(running):
    running.configure()
    port = free_port()
    options = ["--port", str(port), "--as-of", "2026-03-01T12:00:00Z", "--access-log"]
    command = [str(BIN / "headrace"), "gateway", str(running.folder / "gateway.yaml"), *options]
    log = running.folder / "log"
    with log.open("wb") as stream:
        process = subprocess.Popen(command, stderr=stream, env=os.environ)
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10) as client:
            until(lambda: _ready(client, process), seconds=60)
            assert predict(client, RIDE).json()["predictions"][0]["flags"] == {}
            assert predict(client, {}).status_code == 422
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) in (0, -signal.SIGTERM)
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    access = [line for line in lines if line.get("event", {}).get("dataset") == "headrace.access"]
    assert [line["http"]["response"]["status_code"] for line in access] == [200, 422]
    good, bad = access
    assert good["@timestamp"].endswith("Z")
    assert (good["log"]["level"], bad["log"]["level"]) == ("info", "warning")
    assert good["ecs"]["version"]
    assert good["event"]["duration"] > 0
    assert good["url"]["path"] == "/v1/predict/rides"
    assert "not valid" in bad["message"]
    assert running.log().height == 1, "the log is written out at the end"


def _ready(client, process):
    assert process.poll() is None, "the gateway ended"
    try:
        return client.get("/readyz").status_code == 200
    except httpx.TransportError:
        return False
