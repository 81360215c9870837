"""Small helpers for messages and summaries."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Sequence


def nearest(name: str, candidates: Iterable[str]) -> str:
    """A hint ``Did you mean 'x'?`` or, with no close candidate, the list of candidates."""
    options = sorted(candidates)
    close = difflib.get_close_matches(name, options, n=1, cutoff=0.6)
    if close:
        return f"Did you mean {close[0]!r}?"
    shown = ", ".join(options[:20]) + (", …" if len(options) > 20 else "")
    return f"There are: {shown}." if options else "There are none."


def markdown_table(
    head: Sequence[str], rows: Iterable[Sequence[object]], *, numbers: Collection[int] = ()
) -> str:
    """A table in Markdown; a cell may hold any text.

    Args:
        head: Names of the columns.
        rows: Cells.
        numbers: Columns that stand at the right.
    """
    rules = ["---:" if column in numbers else "---" for column in range(len(head))]
    lines = [head, rules, *rows]
    return "\n".join("| " + " | ".join(map(_cell, line)) + " |" for line in lines) + "\n"


def _cell(value: object) -> str:
    return " ".join(str(value).split()).replace("|", "\\|")
