"""Tests that share what takes minutes to make run in one process."""

import os

import pytest


@pytest.mark.skipif("PYTEST_XDIST_WORKER" not in os.environ, reason="tests run in one process")
def test_a_file_is_a_group(request):
    assert request.node.nodeid.endswith(f"@{__file__}")
