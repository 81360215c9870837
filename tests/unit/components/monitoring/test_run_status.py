import pytest

from headrace.components.monitoring.run_status.status import describe


def test_a_failure_tells_the_reason_and_that_the_last_model_still_serves():
    text = describe("flights", "FAILED", {"message": "AUC is low"})
    assert "Training of flights failed" in text
    assert "> AUC is low" in text
    assert "last pushed model" in text


@pytest.mark.parametrize("state", ["SUCCEEDED", "COMPLETE"])
def test_success_says_only_that(state):
    text = describe("flights", state, {})
    assert "succeeded" in text
    assert "last pushed model" not in text
