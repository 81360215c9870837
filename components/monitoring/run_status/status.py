"""The work of ``run_status``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_WORDS = {"SUCCEEDED": "succeeded", "FAILED": "failed", "CANCELLED": "was cancelled"}


def describe(project: str, state: str, error: Mapping[str, Any]) -> str:
    """How the run ended, as Markdown.

    Args:
        project: Project name.
        state: KFP's final state of the pipeline.
        error: KFP's error with ``message``; empty when there was none.
    """
    lines = [f"# Training of {project} {_WORDS.get(state, state.lower())}", ""]
    if error.get("message"):
        lines += [f"> {error['message']}", ""]
    if state != "SUCCEEDED":
        lines += ["The last pushed model, if there is one, is still being served.", ""]
    return "\n".join(lines)
