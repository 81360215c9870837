import pytest
from hypothesis import given
from hypothesis import strategies as st

from headrace.components.shared.errors import ConfigError
from headrace.pipelines.local.conditions import evaluate, inputs_of


def ref(name):
    return f"inputs.parameter_values['{name}']"


@pytest.mark.parametrize(
    ("condition", "values", "expected"),
    [
        (f"{ref('a')} == 'x'", {"a": "x"}, True),
        (f"{ref('a')} == true", {"a": True}, True),
        (f"{ref('a')} == true", {"a": False}, False),
        (f"int({ref('a')}) > 5", {"a": 6.0}, True),
        (f"double({ref('a')}) <= -0.5", {"a": -1}, True),
        (f"{ref('a')} != 'a && b' && !({ref('b')} > 0.25)", {"a": "x", "b": 0.1}, True),
        (f"{ref('a')} == '1' || {ref('b')} >= 2.0", {"a": "2", "b": 2}, True),
        (f"!({ref('a')} == 'true')", {"a": "true"}, False),
        (f"{ref('a')} == 'inputs.parameter_values'", {"a": "inputs.parameter_values"}, True),
        (f"{ref('a')} != 'x!=y'", {"a": "x!=y"}, False),
        (f"{ref('missing')} == null", {}, True),
    ],
)
def test_conditions_as_the_compiler_writes_them(condition, values, expected):
    assert evaluate(condition, values) is expected


@given(value=st.text(), other=st.text(alphabet="abc' \"&|!"))
def test_a_value_is_never_read_as_part_of_the_expression(value, other):
    assert evaluate(f"{ref('a')} == {ref('b')}", {"a": value, "b": other}) is (value == other)


@pytest.mark.parametrize(
    "condition",
    [
        f"{ref('a')} == 'it's'",
        "__import__('os').system('true')",
        f"open({ref('a')})",
        f"{ref('a')} ==",
        f"{ref('a')} < 5",
        "unknown == 1",
    ],
)
def test_what_cannot_be_read_is_an_error_and_not_false(condition):
    with pytest.raises(ConfigError, match="cannot be evaluated"):
        evaluate(condition, {"a": "text"})


def test_inputs_of_a_condition():
    assert inputs_of(f"{ref('a')} == 1 && !({ref('b-c')} > 2)") == ["a", "b-c"]
    assert inputs_of("") == []
