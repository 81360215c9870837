import pytest

from headrace.components.shared.errors import ConfigError
from headrace.pipelines.local.spec import is_group, parse_quantity


@pytest.mark.parametrize(
    ("text", "size"),
    [("512Mi", 512 * 2**20), ("2G", 2 * 10**9), ("1.5Gi", 3 * 2**29), ("1000", 1000), ("3K", 3000)],
)
def test_quantities(text, size):
    assert parse_quantity(text) == size


@pytest.mark.parametrize("text", ["2 apples", "", "G", "-1G", "1i"])
def test_what_is_no_quantity_is_refused(text):
    with pytest.raises(ConfigError, match="not a quantity"):
        parse_quantity(text)


def test_groups_are_told_from_pipelines_used_as_components():
    assert is_group("condition-branches-3")
    assert is_group("for-loop-12")
    assert not is_group("for-loop-over-cities")
