"""The work of ``model_gate``."""

from __future__ import annotations

from collections.abc import Mapping


def run(checks: Mapping[str, tuple[bool, str]]) -> tuple[bool, str]:
    """Blesses the model only when every check did.

    Unlike the gate on the data it does not fail the run: that a new model does not replace the
    champion is an ordinary outcome.

    Args:
        checks: Name of the check to its blessing and verdict.

    Returns:
        Whether the model may be pushed, and the verdicts as Markdown.
    """
    lines = ["# May the model be pushed?", "", "| check | | verdict |", "| --- | --- | --- |"]
    for name, (blessed, verdict) in checks.items():
        lines.append(f"| {name} | {'yes' if blessed else '**no**'} | {verdict} |")
    return all(blessed for blessed, _ in checks.values()), "\n".join([*lines, ""])
