"""From entity keys to predictions over HTTP, and what the caller is told about the features."""

from __future__ import annotations

import concurrent.futures

from .rides import RIDE, SERVICE, predict


def test_entity_keys_become_a_prediction_with_features_from_redis(running):
    with running.serving() as client:
        answer = predict(client, RIDE, headers={"X-Request-ID": "ride-1"})
    assert answer.status_code == 200, answer.text
    body = answer.json()
    # rate 0.5, trips 3, rating 4, load 0.125, effort 3 by 10, long way 1
    assert body["predictions"][0]["outputs"] == {"score": 38.625}
    assert body["predictions"][0]["flags"] == {}
    assert body["predictions"][0]["feature_times"] == {
        "drivers": "2026-03-01T11:59:00+00:00",
        "riders": "2026-03-01T07:00:00+00:00",
        "cities": "2026-03-01T11:59:00+00:00",
    }
    assert body["model"] == {"name": "rides", "version": 1, "signature": "raw_tensors"}
    assert body["feature_service"] == SERVICE
    assert body["features_as_of"] == "2026-03-01T12:00:00+00:00"
    assert body["request_id"] == answer.headers["x-request-id"] == "ride-1"


def test_what_has_no_value_is_sent_as_missing_and_flagged(running):
    rows = [RIDE | {"driver_id": 2}, RIDE | {"driver_id": 3}, RIDE | {"driver_id": 4}]
    with running.serving() as client:
        stale, missing, unknown = predict(client, *rows).json()["predictions"]
    assert stale["outputs"] == {"score": 5.125}
    assert stale["flags"]["rate"] == {"state": "stale", "sent": "missing"}
    assert stale["feature_times"]["drivers"] == "2026-03-01T07:00:00+00:00"
    assert missing["outputs"] == {"score": 5.875}
    assert missing["flags"] == {
        "trips": {"state": "missing", "sent": "missing"},
        "effort": {"state": "missing", "sent": "missing"},
    }
    assert unknown["flags"]["trips"] == {"state": "unknown", "sent": "missing"}
    assert unknown["feature_times"]["drivers"] is None


def test_a_text_key_that_is_no_feature_may_be_left_out(running):
    anonymous = {name: value for name, value in RIDE.items() if name != "rider_id"}
    with running.serving() as client:
        rows = predict(client, anonymous, RIDE | {"rider_id": None}, RIDE).json()["predictions"]
    assert [row["outputs"]["score"] for row in rows] == [34.625, 34.625, 38.625]
    assert rows[0]["flags"] == {"rating": {"state": "unknown", "sent": "missing"}}


def test_the_policy_of_feature_view_and_model_decides(running):
    model = {
        "policy": {"unknown": "reject"},
        "views": {"drivers": {"stale": "reject"}},
        "features": {"trips": {"missing": "default", "default": 9}, "rating": {"unknown": "omit"}},
    }
    with running.serving(model=model) as client:
        answer = predict(
            client,
            RIDE | {"driver_id": 3},
            RIDE | {"driver_id": 2},
            RIDE | {"rider_id": "nobody"},
            RIDE | {"driver_id": 4},
        )
        alone = predict(client, RIDE | {"driver_id": 2})
    filled, stale, omitted, unknown = answer.json()["predictions"]
    assert filled["flags"]["trips"] == {"state": "missing", "sent": "default"}
    assert filled["outputs"] == {"score": 14.875}
    assert stale["outputs"] is None
    assert stale["rejected"] == "feature 'rate' (view drivers) is stale"
    assert omitted["outputs"] == {"score": 34.625}
    assert "is unknown" in unknown["rejected"]
    # When no row is left, the request fails; rejected rows never reach the model.
    assert alone.status_code == 424
    assert "feature 'rate' (view drivers) is stale" in alone.json()["error"]
    calls = [len(rows) for _, rows in running.server.calls]
    assert calls == [1, 2], "the first is the warm-up"


def test_requests_that_come_together_are_each_answered_with_their_own_rows(running):
    with running.serving() as client, concurrent.futures.ThreadPoolExecutor(16) as pool:
        asked = [RIDE | {"distance": float(way)} for way in range(6, 13)] * 20
        answers = list(pool.map(lambda row: predict(client, row), asked))
    scores = [answer.json()["predictions"][0]["outputs"]["score"] for answer in answers]
    assert scores == [8.625 + 3 * row["distance"] for row in asked]
    assert len(running.server.calls) < len(asked), "no two requests were merged"


def test_a_request_that_breaks_the_features_fails_alone(running):
    with running.serving() as client, concurrent.futures.ThreadPoolExecutor(16) as pool:
        asked = [RIDE | {"distance": way} for way in (10.0, 13.0)] * 30
        answers = list(pool.map(lambda row: predict(client, row), asked))
    assert [answer.status_code for answer in answers] == [200, 500] * 30
    assert "On-demand feature view 'computed' raised ValueError" in answers[1].json()["error"]


def test_what_is_wrong_with_a_request_is_said(running):
    with running.serving(limits={"rows": 2, "body_bytes": 500}) as client:
        cases = {
            422: [{"instances": [RIDE | {"driver_id": "1"}]}, {"instances": [{"city": "Rome"}]}],
            413: [{"instances": [RIDE] * 3}, {"instances": [RIDE | {"city": "x" * 500}]}],
        }
        answers = [
            (status, client.post("/v1/predict/rides", json=body))
            for status, bodies in cases.items()
            for body in bodies
        ]
        unknown = client.post("/v1/predict/ride", json={"instances": [RIDE]})
    assert [answer.status_code for _, answer in answers] == [status for status, _ in answers]
    texts = [answer.json()["error"] for _, answer in answers]
    assert "instances.0.driver_id: Input should be a valid integer" in texts[0]
    assert "instances.0.driver_id: Field required" in texts[1]
    assert "city, driver_id, rider_id?, distance" in answers[0][1].json()["fix"]
    assert "at most 2 are allowed" in texts[2]
    assert "more than 500 bytes" in texts[3]
    assert (unknown.status_code, unknown.json()["fix"]) == (404, "Did you mean 'rides'?")


def test_openapi_has_the_form_of_each_model(running):
    with running.serving() as client:
        document = client.get("/openapi.json").json()
        operation = document["paths"]["/v1/predict/rides"]["post"]
        content = operation["requestBody"]["content"]["application/json"]
        row = document["components"]["schemas"]["rides.Instance"]
        assert set(row["required"]) == {"city", "driver_id", "distance"}
        assert row["properties"]["driver_id"]["type"] == "integer"
        assert set(content["example"]["instances"][0]) == set(row["properties"])
        assert client.get("/docs").status_code == 200
