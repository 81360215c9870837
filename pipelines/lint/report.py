"""Findings for people, for programs and for GitHub."""

from __future__ import annotations

import json
from collections import Counter

from rich.console import Console
from rich.text import Text

from headrace.pipelines.lint.model import Finding, Severity

Results = dict[str, list[Finding]]
_STYLES = {Severity.ERROR: "bold red", Severity.WARNING: "yellow"}
_MARKS = {Severity.ERROR: "✘", Severity.WARNING: "!"}


def write_text(results: Results) -> None:
    """Prints findings by file and task, and a summary."""
    console = Console()
    for file, findings in results.items():
        console.print(Text(file, style="bold cyan"), soft_wrap=True)
        if not findings:
            console.print(Text("  ✓ nothing found", style="green"))
        for group in _alike(findings):
            _print(group, console)
        console.print()
    console.print(Text(summary(results), style="bold"))


def write_json(results: Results) -> None:
    """Prints one object: counts, and the findings in a list."""
    findings = [finding for found in results.values() for finding in found]
    counts = _counts(results)
    document = {
        "files": len(results),
        "errors": counts[Severity.ERROR],
        "warnings": counts[Severity.WARNING],
        "findings": [finding.model_dump(mode="json") for finding in findings],
    }
    print(json.dumps(document, indent=2, ensure_ascii=False))


def write_github(results: Results) -> None:
    """Prints one workflow command per finding, which GitHub shows at the line."""
    for findings in results.values():
        for finding in findings:
            title = _escape(f"{finding.rule} {finding.name}", ":,")
            place = f"{finding.task}: " if finding.task else ""
            text = _escape(f"{place}{finding.message} {finding.fix}")
            where = f"file={_escape(finding.file, ':,')}"
            where += f",line={finding.line}" if finding.line else ""
            print(f"::{finding.severity} {where},title={title}::{text}")


def summary(results: Results) -> str:
    """How many errors and warnings in how many files."""
    counts = _counts(results)
    errors, warnings = counts[Severity.ERROR], counts[Severity.WARNING]
    return (
        f"{_amount(errors, 'error')} and {_amount(warnings, 'warning')} "
        f"in {_amount(len(results), 'file')}."
    )


def _alike(findings: list[Finding]) -> list[list[Finding]]:
    """Findings that differ in the task alone, together: a habit fills one entry, not twenty."""
    groups: dict[tuple[str, str, str], list[Finding]] = {}
    for finding in findings:
        groups.setdefault((finding.rule, finding.message, finding.fix), []).append(finding)
    return list(groups.values())


def _print(group: list[Finding], console: Console) -> None:
    first = group[0]
    head = f"  {_MARKS[first.severity]} {first.rule} {first.name}"
    tasks = ", ".join(finding.task or "the whole file" for finding in group)
    console.print(Text(head, style=_STYLES[first.severity]))
    for line, style in ((tasks, "bold"), (first.message, ""), (first.fix, "dim")):
        # Unwrapped, names and paths stay in one piece, to be searched for and copied.
        console.print(Text(f"    {line}", style=style), soft_wrap=True)


def _counts(results: Results) -> Counter[Severity]:
    return Counter(finding.severity for found in results.values() for finding in found)


def _amount(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _escape(text: str, also: str = "") -> str:
    """Percent-encodes what GitHub would read as the end of a command or a property."""
    for character in f"%\r\n{also}":
        text = text.replace(character, f"%{ord(character):02X}")
    return text
