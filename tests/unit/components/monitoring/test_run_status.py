from headrace.components.monitoring.run_status.status import describe


def test_a_failure_tells_the_reason_and_that_the_last_model_still_serves():
    text = describe("flights", "FAILED", {"message": "AUC is low"})
    assert "Training of flights failed" in text
    assert "> AUC is low" in text
    assert "last pushed model" in text


def test_success_says_only_that():
    text = describe("flights", "SUCCEEDED", {})
    assert "succeeded" in text
    assert "last pushed model" not in text
