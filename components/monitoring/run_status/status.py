"""The work of ``run_status``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: Vertex AI and ``kfp.local`` tell the SDK's words, KFP's own backend those of its metadata store.
_WORDS = {
    "SUCCEEDED": "succeeded",
    "COMPLETE": "succeeded",
    "FAILED": "failed",
    "CANCELLED": "was cancelled",
    "CANCELED": "was cancelled",
}


def describe(project: str, state: str, error: Mapping[str, Any]) -> str:
    """How the run ended, as Markdown.

    Args:
        project: Project name.
        state: KFP's final state of the pipeline.
        error: KFP's error with ``message``; empty when there was none.
    """
    word = _WORDS.get(state, state.lower())
    lines = [f"# Training of {project} {word}", ""]
    if error.get("message"):
        lines += [f"> {error['message']}", ""]
    if word != "succeeded":
        lines += ["The last pushed model, if there is one, is still being served.", ""]
    return "\n".join(lines)
