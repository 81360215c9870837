"""Runs the rules over files."""

from __future__ import annotations

import difflib
from pathlib import Path

from headrace.components.shared.errors import ConfigError
from headrace.pipelines.lint import places, reading, rules
from headrace.pipelines.lint.model import Finding, Settings


def lint(names: list[str], settings: Settings) -> dict[str, list[Finding]]:
    """Findings by file, errors first, for files, folders and patterns."""
    return {str(path): lint_file(path, settings) for path in reading.expand(names)}


def lint_file(path: Path, settings: Settings) -> list[Finding]:
    """Findings in one file, errors first, then by task and rule."""
    try:
        pipeline = reading.read(path)
    except reading.UnreadableError as error:
        applies = error.rule.applies(settings)
        return [error.rule.finding(str(path), error.found)] if applies else []
    found = [
        (rule, one)
        for rule in rules.ALL
        if rule.applies(settings)
        for one in rule.check(pipeline, settings)
    ]
    lines = places.task_lines(path, pipeline.tasks) if found else {}
    findings = [rule.finding(str(path), one, lines.get(one.task)) for rule, one in found]
    # A finding that several components share says nothing the second time.
    # `error` comes before `warning` in the alphabet, too.
    return sorted(dict.fromkeys(findings), key=lambda f: (f.severity, f.task, f.rule))


def rule_ids(names: list[str]) -> frozenset[str]:
    """Ids of rules that were given by id or by name.

    Raises:
        ConfigError: There is no such rule.
    """
    known = {rule.id.lower(): rule.id for rule in rules.ALL}
    known |= {rule.name: rule.id for rule in rules.ALL}
    for name in names:
        if name.lower() not in known:
            close = difflib.get_close_matches(name.lower(), known, n=1)
            hint = f"Did you mean `{known[close[0]]}`?" if close else "See docs/how-to/lint.md."
            raise ConfigError(f"There is no rule `{name}`.", fix=hint)
    return frozenset(known[name.lower()] for name in names)
