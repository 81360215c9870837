"""Findings for people, for programs and for GitHub."""

from __future__ import annotations

import json
from collections import Counter

from rich.console import Console
from rich.padding import Padding
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
        for finding in findings:
            _print(finding, console)
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
    """Prints one workflow command per finding, which GitHub shows at the file."""
    for findings in results.values():
        for finding in findings:
            title = _escape(f"{finding.rule} {finding.name}", ":,")
            place = f"{finding.task}: " if finding.task else ""
            text = _escape(f"{place}{finding.message} {finding.fix}")
            print(f"::{finding.severity} file={_escape(finding.file, ':,')},title={title}::{text}")


def summary(results: Results) -> str:
    """How many errors and warnings in how many files."""
    counts = _counts(results)
    errors, warnings = counts[Severity.ERROR], counts[Severity.WARNING]
    return (
        f"{_amount(errors, 'error')} and {_amount(warnings, 'warning')} "
        f"in {_amount(len(results), 'file')}."
    )


def _print(finding: Finding, console: Console) -> None:
    style = _STYLES[finding.severity]
    head = Text.assemble(
        (f"{_MARKS[finding.severity]} {finding.rule} {finding.name}", style),
        (f"  {finding.task or 'the whole file'}", "bold"),
    )
    # Names and paths stay in one piece, to be searched for and copied.
    console.print(Padding(head, (0, 0, 0, 2), expand=False), soft_wrap=True)
    for line, shade in ((finding.message, ""), (finding.fix, "dim")):
        console.print(Padding(Text(line, style=shade), (0, 0, 0, 4), expand=False))


def _counts(results: Results) -> Counter[Severity]:
    return Counter(finding.severity for found in results.values() for finding in found)


def _amount(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _escape(text: str, also: str = "") -> str:
    """Percent-encodes what GitHub would read as the end of a command or a property."""
    for character in f"%\r\n{also}":
        text = text.replace(character, f"%{ord(character):02X}")
    return text
