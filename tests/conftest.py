"""How tests are shared out to processes that run side by side."""

from __future__ import annotations

import pytest

#: Fixtures that take minutes to make: tests that share one run in the same process.
_SHARED_RUNS = ("flights_run", "taxi_run", "housing_run")


# First, for xdist's own hook reads the groups.
@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        names = getattr(item, "fixturenames", ())
        shared = next((name for name in _SHARED_RUNS if name in names), None)
        item.add_marker(pytest.mark.xdist_group(shared or str(item.path)))
