"""Requests to the server that all tests of a module share."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from .client import Answer, ask


@pytest.fixture
def get(shared: Any) -> Callable[[str], Answer]:
    return lambda path: ask(shared.rest_address, "GET", path)


@pytest.fixture
def post(shared: Any) -> Callable[..., Answer]:
    def send(path: str, body: Any) -> Answer:
        text = body if isinstance(body, bytes | str) else json.dumps(body)
        return ask(shared.rest_address, "POST", path, text)

    return send
