"""Only a model that a server can load, and that answers the same rows alike, is blessed."""

import faulthandler
import os
import signal

import pytest

from headrace.components.deployment.infra_validator import server, validator


def test_a_good_export_is_blessed_after_real_rows(validated):
    verdict = validated[0]["good"]
    assert verdict.startswith("True: 200 real rows answered alike by both signatures, over gRPC")


@pytest.mark.parametrize(
    ("export", "reason"),
    [
        ("broken", "Could not find variable"),
        ("empty", "Could not find SavedModel"),
        ("apart", "serving_default and raw_tensors differ by up to 0.1 on one row"),
        ("nan", "200 answers are not finite"),
    ],
)
def test_a_bad_export_is_refused_with_the_reason(validated, export, reason):
    verdicts, warmup = validated
    assert verdicts[export].startswith("False: the model cannot be served: ")
    assert reason in verdicts[export]
    assert (warmup / export).read_bytes() == b""


@pytest.fixture
def validate(monkeypatch, example_artifact, tmp_path):
    """The verdict when this runs in the server's process."""

    def run(instead):
        monkeypatch.setattr(server, "_serve", instead)
        return validator.run(
            model=tmp_path,
            source=example_artifact,
            name="tiny",
            serving={},
            warmup=tmp_path / "warmup",
        )

    return run


def crash(*_):
    faulthandler.disable()
    os.abort()


def test_a_server_that_crashes_while_loading_is_a_verdict(validate):
    result = validate(crash)
    assert (result.blessed, "died with exit code -6" in result.verdict) == (False, True)


def test_a_server_that_crashes_when_it_is_asked_is_a_verdict(validate):
    def loaded_then_crash(connection, *_):
        connection.send(None)
        crash()

    result = validate(loaded_then_crash)
    assert (result.blessed, "died with exit code -6" in result.verdict) == (False, True)


def test_a_model_that_never_loads_is_a_verdict(validate, monkeypatch):
    monkeypatch.setattr(validator, "_SECONDS", 0.1)
    result = validate(lambda *_: signal.pause())
    assert (result.blessed, "did not load in time" in result.verdict) == (False, True)
