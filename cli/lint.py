"""``headrace lint``: what a backend would reject, mishandle or drop in silence."""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from headrace.pipelines.lint.model import Finding, Settings


class _Exit(IntEnum):
    CLEAN = 0
    FINDINGS = 1


class Format(StrEnum):
    """How findings are written."""

    TEXT = "text"
    JSON = "json"
    GITHUB = "github"


class Target(StrEnum):
    """Where the pipeline is going to run."""

    KUBEFLOW = "kubeflow"
    VERTEX = "vertex"


def lint(
    files: Annotated[
        list[str], typer.Argument(help="Compiled pipelines: files, folders or patterns.")
    ],
    target: Annotated[Target, typer.Option(help="Where they will run.")] = Target.KUBEFLOW,
    backend_version: Annotated[
        str, typer.Option(help="Version of the Kubeflow Pipelines backend, such as 2.14.")
    ] = "2.17",
    ignore: Annotated[
        list[str] | None,
        typer.Option("--ignore", metavar="ID", help="A rule to leave out; may be repeated."),
    ] = None,
    output: Annotated[
        Format, typer.Option("--format", help="For people, programs or GitHub's annotations.")
    ] = Format.TEXT,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings fail too.")] = False,
) -> None:
    """Check compiled KFP 2 pipelines before a backend sees them."""
    from headrace.pipelines.lint import linter, report

    results = linter.lint(files, _settings(target, backend_version, ignore or []))
    writers = {
        Format.TEXT: report.write_text,
        Format.JSON: report.write_json,
        Format.GITHUB: report.write_github,
    }
    writers[output](results)
    raise typer.Exit(_exit_code(results, strict=strict))


def _settings(target: Target, backend_version: str, ignore: list[str]) -> Settings:
    from headrace.pipelines.lint import linter, model

    return model.Settings(
        target=model.Target(target.value),
        backend=model.parse_version(backend_version),
        ignore=linter.rule_ids(ignore),
    )


def _exit_code(results: dict[str, list[Finding]], *, strict: bool) -> _Exit:
    findings = [finding for found in results.values() for finding in found]
    failing = [finding for finding in findings if strict or finding.severity == "error"]
    return _Exit.FINDINGS if failing else _Exit.CLEAN
