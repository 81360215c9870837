import pytest

from headrace.components.shared.errors import GateError
from headrace.components.validation.data_gate import gate


def test_data_that_every_check_blessed_pass():
    verdict, summary = gate.run({"a": (True, "fine"), "b": (True, "either x|y")})
    assert verdict == "2 checks passed"
    assert "| b | either x\\|y |" in summary


def test_every_refusal_is_told_and_no_blessing():
    checks = {"first": (False, "too late"), "second": (True, "fine"), "third": (False, "drift")}
    with pytest.raises(GateError) as caught:
        gate.run(checks)
    assert "first: too late" in caught.value.message
    assert "third: drift" in caught.value.message
    assert "fine" not in caught.value.message
    assert "nothing was trained or pushed" in caught.value.message
