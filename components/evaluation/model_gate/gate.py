"""The work of ``model_gate``."""

from __future__ import annotations

from collections.abc import Mapping

from headrace.components.shared.text import markdown_table


def run(checks: Mapping[str, tuple[bool, str]]) -> tuple[bool, str]:
    """Blesses the model only when every check did.

    Unlike the gate on the data it does not fail the run: that a new model does not replace the
    champion is an ordinary outcome.

    Args:
        checks: Name of the check to its blessing and verdict.

    Returns:
        Whether the model may be pushed, and the verdicts as Markdown.
    """
    rows = [(name, "yes" if ok else "**no**", verdict) for name, (ok, verdict) in checks.items()]
    text = "# May the model be pushed?\n\n" + markdown_table(("check", "", "verdict"), rows)
    return all(blessed for blessed, _ in checks.values()), text
