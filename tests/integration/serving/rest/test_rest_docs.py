"""The curl commands of the documentation, asked of a running server."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

from .client import ask

PAGE = Path(__file__).parents[4] / "docs" / "how-to" / "serving.md"


def test_the_commands_of_the_page_are_answered(serve: Any, base_path: Any) -> None:
    base = base_path("half_plus_two", {1: "half"})
    address = serve(
        "--model_name=half_plus_two", f"--model_base_path={base}", rest=True
    ).rest_address
    commands = re.findall(r"^curl .*$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert len(commands) >= 4
    for command in commands:
        _, *data, url = shlex.split(command)
        body = data[data.index("-d") + 1] if data else ""
        path = url.removeprefix("http://localhost:8501")
        answer = ask(address, "POST" if body else "GET", path, body)
        assert answer.status == 200, (command, answer)
