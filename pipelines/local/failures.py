"""Turns the way a step's process ended into an error for people."""

from __future__ import annotations

import json
import re
import signal
from dataclasses import dataclass
from pathlib import Path

from headrace.components.shared.errors import HeadraceError, StepError
from headrace.pipelines.local.records import ErrorRecord
from headrace.pipelines.local.warm import Handle

#: Trying again does not help when the data, the configuration or a gate says no.
_FINAL = frozenset({"ConfigError", "DataError", "GateError", "ProjectCodeError", "SourceError"})
_TAIL_BYTES = 4096
_ESCAPES = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_SEE_LOG = "See the log. When the cause is removed, resume the run."


class StepFailedError(Exception):
    """A step failed.

    Attributes:
        record: What to tell people.
        may_retry: Whether another attempt can help.
    """

    def __init__(self, record: ErrorRecord, *, may_retry: bool = True) -> None:
        super().__init__(record.message)
        self.record = record
        self.may_retry = may_retry


@dataclass(frozen=True)
class Files:
    """Where a step writes about itself."""

    log: Path
    error: Path


def step_error(message: str, fix: str, log: Path | None = None) -> StepFailedError:
    """A failure that the runner itself found."""
    return StepFailedError(
        ErrorRecord(
            type=StepError.__name__, message=message, fix=fix, log=str(log) if log else None
        )
    )


def runner_error(where: str, error: Exception) -> StepFailedError:
    """A failure of the runner itself, or of the disk below it."""
    if isinstance(error, HeadraceError):
        return step_error(error.message, error.fix)
    if isinstance(error, OSError):
        return step_error(
            f"The results of {where} cannot be kept: {error}.",
            "Free space there or make it writable, then resume the run.",
        )
    return step_error(
        f"The runner failed at {where}: {type(error).__name__}: {error}",
        "Please report this, with the compiled pipeline.",
    )


def check(step: str, handle: Handle, files: Files, *, peak: int, limit: int | None) -> None:
    """Returns when the step succeeded.

    Raises:
        StepFailedError: It did not.
    """
    if handle.exceeded is not None:
        raise step_error(
            f"Step `{step}` used {_size(handle.exceeded)}; its limit is {_size(limit or 0)}.",
            "Raise it, under `platform.steps` in project.yaml or, in a pipeline of your own, with "
            f"task.set_memory_limit('{handle.exceeded * 1.5 / 1e6:.0f}M'), and resume the run.",
            files.log,
        )
    if handle.ending is None:
        raise step_error(
            f"Step `{step}` ended because the warm process `{handle.process.kind}` died.",
            f"See {files.log.parent / f'warm-{handle.process.kind}.log'}, then resume the run.",
            files.log,
        )
    code = handle.ending.code
    if code < 0:
        raise _signal_error(step, -code, files.log, peak=peak, limit=limit)
    if code > 0:
        raise _reported(step, files) or step_error(
            f"Step `{step}` ended with exit code {code}: {_last_line(files.log)}",
            _SEE_LOG,
            files.log,
        )


def _signal_error(
    step: str, number: int, log: Path, *, peak: int, limit: int | None
) -> StepFailedError:
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = f"signal {number}"
    message = f"Step `{step}` was ended by {name}"
    if number == signal.SIGKILL:
        allowed = f"its limit is {_size(limit)}" if limit else "it has no limit"
        return step_error(
            f"{message}: probably this machine ran out of memory. "
            f"The step's peak was {_size(peak)}; {allowed}.",
            "Free memory, or give the step less data; then resume the run.",
            log,
        )
    return step_error(f"{message}; its peak memory was {_size(peak)}.", _SEE_LOG, log)


def _reported(step: str, files: Files) -> StepFailedError | None:
    try:
        report = json.loads(files.error.read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    if report["is_ours"]:
        return StepFailedError(
            ErrorRecord(
                type=report["type"],
                message=report["message"],
                fix=report["fix"],
                log=str(files.log),
            ),
            may_retry=not _FINAL.intersection(report["bases"]),
        )
    summary = ": ".join(filter(None, (report["type"], report["message"])))
    return step_error(f"Step `{step}` failed: {summary}", _SEE_LOG, files.log)


def _last_line(log: Path) -> str:
    try:
        with log.open("rb") as stream:
            stream.seek(max(0, log.stat().st_size - _TAIL_BYTES))
            text = stream.read().decode("utf-8", errors="replace")
    except FileNotFoundError:
        text = ""
    lines = [line.strip() for line in _ESCAPES.sub("", text).splitlines() if line.strip()]
    return lines[-1] if lines else "it wrote nothing to its log."


def _size(count: float) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"
