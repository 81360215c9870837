"""The gateway's client, against a real gateway on a real feature store."""

import hashlib

import pytest

from headrace.serving.client import GatewayClient
from headrace.serving.gateway import errors
from tests.integration.gateway.rides import MODEL, RIDE


@pytest.fixture
def gateway(running):
    with (
        running.serving(auth={"tokens_from": "RIDES_TOKENS"}) as http,
        GatewayClient(str(http.base_url), deadline=60, token="secret") as client,
    ):
        yield client


@pytest.fixture(autouse=True)
def tokens(monkeypatch):
    monkeypatch.setenv("RIDES_TOKENS", f"ann {hashlib.sha256(b'secret').hexdigest()}")


def test_keys_go_in_and_predictions_come_out(gateway):
    answer = gateway.predict(MODEL, [RIDE, {**RIDE, "driver_id": 2}])
    fresh, stale = answer.rows
    assert answer.version == 1
    assert fresh.outputs["score"] == pytest.approx(0.5 + 3 + 4 + 0.125 + 30 + 1)
    assert fresh.flags == {}
    assert fresh.feature_times["drivers"].startswith("2026-03-01T11:59")
    assert stale.flags["rate"] == {"state": "stale", "sent": "missing"}


def test_what_the_gateway_says_is_told(gateway):
    with pytest.raises(errors.InvalidRequestError, match="driver_id") as caught:
        gateway.predict(MODEL, [{**RIDE, "driver_id": "one"}])
    assert "instances" in caught.value.fix
    with pytest.raises(errors.UnknownModelError, match="serves no model 'ride'"):
        gateway.predict("ride", [RIDE])


def test_its_models_are_listed(gateway):
    (model,) = gateway.models()
    assert (model["name"], model["version"], model["feature_service"]) == (MODEL, 1, "rides_v1")


def test_without_a_token_it_refuses(running):
    with (
        running.serving(auth={"tokens_from": "RIDES_TOKENS"}) as http,
        GatewayClient(str(http.base_url), deadline=60) as client,
        pytest.raises(errors.UnauthenticatedError, match="401"),
    ):
        client.predict(MODEL, [RIDE])
