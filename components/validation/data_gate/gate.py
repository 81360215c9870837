"""The work of ``data_gate``."""

from __future__ import annotations

from collections.abc import Mapping

from headrace.components.shared.errors import GateError
from headrace.components.shared.text import markdown_table


def run(checks: Mapping[str, tuple[bool, str]]) -> tuple[str, str]:
    """Lets the run pass only when every check blessed the data.

    Args:
        checks: Name of the check to its blessing and verdict.

    Returns:
        One line for people, and the verdicts as Markdown.

    Raises:
        GateError: with every verdict that said no.
    """
    refused = {name: verdict for name, (blessed, verdict) in checks.items() if not blessed}
    if refused:
        shown = "\n".join(f"  {name}: {verdict}" for name, verdict in refused.items())
        raise GateError(
            f"The data do not pass; nothing was trained or pushed:\n{shown}",
            fix="Read the reports of these steps, then correct the source, the features, or the "
            "rule in project.yaml.",
        )
    table = markdown_table(("check", "verdict"), [(n, told) for n, (_, told) in checks.items()])
    return f"{len(checks)} checks passed", f"# The data may be trained on\n\n{table}"
