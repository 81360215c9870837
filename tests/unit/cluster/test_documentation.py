"""The page on Kubeflow shows commands that exist."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

from headrace.cli.main import app

PAGE = Path(__file__).resolve().parents[3] / "docs" / "how-to" / "kubeflow.md"


def commands():
    """Every line of the page that begins with the command, also in tables and sentences."""
    text = PAGE.read_text().replace("\\\n", " ")
    blocks = re.findall(r"^headrace (.+)$", text, re.MULTILINE)
    inline = re.findall(r"`headrace ([^`\n]+)`", text)
    return sorted({*blocks, *inline})


@pytest.mark.parametrize("line", commands())
def test_its_commands_and_options_exist(line):
    words = shlex.split(line, comments=True)
    groups = {"schedule": {"list", "enable", "disable", "delete"}, "remote": None}
    depth = 1
    if words[0] in groups:
        known = groups[words[0]]
        depth = 2 if known is None or (words[1:2] and words[1] in known) else 1
    command = words[:depth] if words[0] != "schedule" or depth == 2 else ["schedule", "create"]
    shown = CliRunner().invoke(app, [*command, "--help"], env={"COLUMNS": "250"})
    assert shown.exit_code == 0, line
    for option in (word for word in words if word.startswith("--")):
        assert option in shown.output, f"{line}: no option {option}"
