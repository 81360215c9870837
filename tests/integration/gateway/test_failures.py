"""When Redis, the model server or a version goes away, and when it comes back."""

from __future__ import annotations

import concurrent.futures
import time

import pytest

from headrace.serving.audit.history import answering_at, of_model
from headrace.serving.audit.trail import read_trail

from .rides import RIDE, fill, predict, push, until


def test_without_redis_the_policy_applies_and_it_recovers_by_itself(running, redis):
    with running.serving() as client:
        before = predict(client, RIDE).json()["predictions"][0]
        redis.kill()
        try:
            answer = predict(client, RIDE)
        finally:
            redis.start()
        assert answer.status_code == 200, answer.text
        without = answer.json()["predictions"][0]
        assert without["outputs"] == {"score": 1.0}, "only what the request alone says"
        assert {flag["state"] for flag in without["flags"].values()} == {"unavailable"}
        assert set(without["flags"]) == {"rate", "trips", "rating", "load", "effort"}
        fill(running.repo)
        assert predict(client, RIDE).json()["predictions"][0] == before
        assert "headrace_gateway_store_outages_total" in client.get("/metrics").text


def test_a_feature_that_is_needed_makes_the_answer_503_without_redis(running, redis):
    with running.serving(model={"views": {"drivers": {"unavailable": "reject"}}}) as client:
        redis.pause()
        try:
            answer = predict(client, RIDE)
        finally:
            redis.resume()
        assert answer.status_code == 503
        assert "feature 'rate' (view drivers) is unavailable" in answer.json()["error"]
        until(lambda: predict(client, RIDE).status_code == 200)


def test_without_the_model_server_the_answer_is_503_and_says_so(running):
    with running.serving() as client:
        assert client.get("/readyz").status_code == 200
        running.server.stop()
        answer = predict(client, RIDE)
        assert answer.status_code == 503
        address = f"The model server at 127.0.0.1:{running.server.port} is down"
        assert address in answer.json()["error"]
        until(lambda: client.get("/readyz").status_code == 503)
        assert client.get("/healthz").status_code == 200
        running.server.start()
        until(lambda: predict(client, RIDE).status_code == 200)
        until(lambda: client.get("/readyz").status_code == 200)


def test_an_answer_that_takes_too_long_is_504(running):
    with running.serving(limits={"deadline_seconds": 0.2}) as client:
        running.server.delay = 0.6
        answer = predict(client, RIDE)
    assert answer.status_code == 504
    assert "0.2 seconds" in answer.json()["error"] or "in time" in answer.json()["error"]


def test_no_request_fails_while_versions_are_swapped_and_none_is_mixed(running):
    with running.serving() as client, concurrent.futures.ThreadPoolExecutor(8) as pool:
        end = time.monotonic() + 3

        def ask(number):
            answers = []
            while time.monotonic() < end:
                answers.append(predict(client, RIDE))
            return answers

        asking = [pool.submit(ask, number) for number in range(4)]
        for version in (2, 3):
            push(running.folder, running.repo)
            running.server.versions.add(version)
            time.sleep(0.5)
            running.server.versions.discard(version - 1)
            time.sleep(0.5)
        answers = [answer for future in asking for answer in future.result()]
    assert {answer.status_code for answer in answers} == {200}
    bodies = [answer.json() for answer in answers]
    assert {body["model"]["version"] for body in bodies} == {1, 2, 3}
    for body in bodies:
        expected = 38.625 * body["model"]["version"]
        assert body["predictions"][0]["outputs"]["score"] == pytest.approx(expected)


def test_a_version_without_a_manifest_is_not_used(running):
    with running.serving() as client:
        running.server.versions.add(9)
        until(lambda: client.get("/readyz").status_code == 503)
        assert "Version 9 of model 'rides' has no manifest" in client.get("/readyz").text
        assert predict(client, RIDE).json()["model"]["version"] == 1
        running.server.versions = {9}
        answer = predict(client, RIDE)
    assert answer.status_code == 503
    assert "Version 9 of model 'rides' has no manifest" in answer.json()["error"]


def test_definitions_that_changed_since_the_training_are_refused_on_request(running):
    version = push(
        running.folder,
        running.repo,
        feature_store={"feature_service": "rides_v1", "registry_hash": "of other definitions"},
    )
    running.server.versions = {version}
    with running.serving() as client:
        about = client.get("/v1/models").json()["models"][0]
        assert about["definitions_changed"] is True
        counted = client.get("/metrics").text
        assert 'headrace_gateway_definitions_changed{model="rides"} 1.0' in counted
        assert 'headrace_gateway_model_version{model="rides"} 2.0' in counted
    with running.serving(model={"changed_definitions": "refuse"}) as client:
        answer = predict(client, RIDE)
    assert answer.status_code == 503
    assert "are not those that version 2" in answer.json()["error"]


def test_the_audit_trail_says_which_version_answered_when(running):
    trail = running.folder / ".headrace" / "audit.jsonl"
    with running.serving() as client:
        predict(client, RIDE)
        push(running.folder, running.repo)
        running.server.versions.add(2)
        until(lambda: predict(client, RIDE).json()["model"]["version"] == 2)
        running.server.versions.discard(1)
        until(lambda: any(entry.event.what == "end" for entry in read_trail(trail)))
    entries = of_model(read_trail(trail), "rides")
    happened = [(entry.event.what, entry.event.version) for entry in entries]
    for event in [("pushed", 1), ("answering", 1), ("available", 2), ("answering", 2), ("end", 1)]:
        assert event in happened
    assert happened[-1] == ("stopped", 2)
    switched = next(e.time for e in entries if (e.event.what, e.event.version) == ("answering", 2))
    started = next(e.time for e in entries if (e.event.what, e.event.version) == ("answering", 1))
    between = started + (switched - started) / 2
    assert [found.version for found in answering_at(entries, between)] == [1]
    assert [found.version for found in answering_at(entries, switched)] == [2]
    assert answering_at(entries, entries[-1].time) == []


def test_rules_for_features_that_the_model_does_not_have_are_an_error(running):
    cases = {
        "rules for features.ratee, which the model does not have": {"ratee": {"stale": "reject"}},
        "features.trips.default in gateway.yaml is 'many', but the model takes int64": {
            "trips": {"stale": "default", "default": "many"}
        },
    }
    for said, features in cases.items():
        with running.serving(model={"features": features}) as client:
            answer = predict(client, RIDE)
        assert answer.status_code == 503
        assert said in answer.json()["error"]
