"""What a rule, a finding and the settings of a check are."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

from pydantic import BaseModel, ConfigDict

from headrace.components.shared.errors import ConfigError

if TYPE_CHECKING:
    from headrace.pipelines.lint.pipeline import Pipeline

Version: TypeAlias = tuple[int, int, int]
Check: TypeAlias = "Callable[[Pipeline, Settings], Iterator[Found]]"

#: The newest release of the backend whose source the rules were compared with.
NEWEST: Version = (2, 17, 0)
_VERSION = re.compile(r"v?(\d+)\.(\d+)(?:\.(\d+))?")


class Severity(StrEnum):
    """How bad a finding is."""

    ERROR = "error"
    WARNING = "warning"


class Target(StrEnum):
    """Where the pipeline is going to run."""

    KUBEFLOW = "kubeflow"
    VERTEX = "vertex"


class Settings(BaseModel):
    """What the reader of the findings wants to know about."""

    model_config = ConfigDict(frozen=True)

    target: Target = Target.KUBEFLOW
    backend: Version = NEWEST
    ignore: frozenset[str] = frozenset()


class Finding(BaseModel):
    """One thing that is wrong, or risky, in one file.

    Attributes:
        line: Where the task starts; None if the finding is about the whole file.
    """

    model_config = ConfigDict(frozen=True)

    file: str
    line: int | None
    task: str
    rule: str
    name: str
    severity: Severity
    message: str
    fix: str


@dataclass(frozen=True)
class Found:
    """What a check yields.

    Attributes:
        task: Names of the groups and of the task, from the outside in; empty for the whole file.
        message: What was found, with its name and value.
        fix: What to do about it.
    """

    task: str
    message: str
    fix: str


@dataclass(frozen=True)
class Rule:
    """One rule, with the backends it is about.

    Attributes:
        id: Stable, for ``--ignore`` and for searching.
        name: The same in words.
        severity: Error for what is rejected or wrong, warning for what is risky.
        why: The reason, in one sentence.
        check: Yields what it finds.
        only: The one target that it is about; None for all.
        since: First release of the open-source backend that behaves so.
        until: Last one.
    """

    id: str
    name: str
    severity: Severity
    why: str
    check: Check
    only: Target | None = None
    since: Version | None = None
    until: Version | None = None

    def applies(self, settings: Settings) -> bool:
        """Whether the rule is about this target and version, and was not ignored."""
        if self.id in settings.ignore or self.only not in (None, settings.target):
            return False
        too_early = self.since is not None and settings.backend < self.since
        too_late = self.until is not None and settings.backend > self.until
        return not too_early and not too_late

    def finding(self, file: str, found: Found, line: int | None = None) -> Finding:
        """What the check found, in the form that is reported."""
        return Finding(
            file=file,
            line=line,
            task=found.task,
            rule=self.id,
            name=self.name,
            severity=self.severity,
            message=found.message,
            fix=found.fix,
        )


def rule(
    id: str,
    name: str,
    severity: Severity,
    why: str,
    *,
    only: Target | None = None,
    since: Version | None = None,
    until: Version | None = None,
) -> Callable[[Check], Rule]:
    """Makes a rule of the function that checks it."""

    def decorate(check: Check) -> Rule:
        return Rule(id, name, severity, why, check, only=only, since=since, until=until)

    return decorate


def parse_version(text: str) -> Version:
    """A version such as ``2.14`` or ``2.16.1``, comparable with others.

    Raises:
        ConfigError: The text is no such version.
    """
    match = _VERSION.fullmatch(text.strip())
    if not match:
        raise ConfigError(
            f"`{text}` is not a version of the backend.",
            fix="Write major and minor version, such as 2.14, or all three parts.",
        )
    return int(match[1]), int(match[2]), int(match[3] or 0)


def show_version(version: Version) -> str:
    """``2.17`` for a release line's first version, else all three parts."""
    major, minor, patch = version
    return f"{major}.{minor}.{patch}" if patch else f"{major}.{minor}"
