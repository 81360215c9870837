"""What is kept about a run: ``run.json`` as typed models."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from pydantic import BaseModel, Field

from headrace.components.shared.errors import StorageError
from headrace.pipelines.local.cost import Bill, Prices, Usage, total

_LOGGER = logging.getLogger(__name__)
RUN_FILE = "run.json"


class State(StrEnum):
    """Where a run or a step stands."""

    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    CACHED = "cached"
    FAILED = "failed"
    SKIPPED = "skipped"
    INTERRUPTED = "interrupted"


DONE = frozenset({State.SUCCEEDED, State.CACHED})


class ArtifactRecord(BaseModel):
    """One output artifact of a step."""

    name: str
    type: str
    uri: str
    metadata: dict[str, Any] = Field(default_factory=dict)
    digest: str = ""


class Outputs(BaseModel):
    """A step's outputs."""

    parameters: dict[str, Any] = Field(default_factory=dict)
    artifacts: dict[str, ArtifactRecord] = Field(default_factory=dict)


class ErrorRecord(BaseModel):
    """Why a step or a run failed, for people."""

    type: str
    message: str
    fix: str = ""
    log: str | None = None


class TaskRecord(BaseModel):
    """One step of a run.

    Attributes:
        group: The step's name without the numbers of loop iterations; ``upstream`` names groups.
        parent: The DAGs that the step is in, joined by slashes.
        reason: Why the step was skipped.
        usage: Compute of every attempt; of a cached step, what it took when it ran.
    """

    name: str
    component: str
    group: str = ""
    parent: str = ""
    upstream: list[str] = Field(default_factory=list)
    state: State = State.PENDING
    reason: str = ""
    started: datetime | None = None
    ended: datetime | None = None
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_memory_mb: float = 0.0
    usage: Usage = Field(default_factory=Usage)
    attempts: int = 0
    cache_key: str | None = None
    folder: str | None = None
    outputs: Outputs = Field(default_factory=Outputs)
    error: ErrorRecord | None = None
    log: str | None = None

    @property
    def verdict(self) -> str | None:
        """A gate's verdict: the output parameter ``verdict``, by convention."""
        value = self.outputs.parameters.get("verdict")
        return None if value is None else str(value)

    @property
    def blessed(self) -> bool | None:
        """Whether a gate let the run go on: the output parameter ``blessed``, by convention."""
        value = self.outputs.parameters.get("blessed")
        return value if isinstance(value, bool) else None


class RunRecord(BaseModel):
    """One run of a pipeline."""

    run_id: str
    pipeline: str
    project: str = ""
    yaml_path: str = ""
    home: str = ""
    arguments: dict[str, Any] = Field(default_factory=dict)
    cache: bool = True
    state: State = State.RUNNING
    started: datetime
    ended: datetime | None = None
    resumed: int = 0
    peak_memory_mb: float = 0.0
    prices: Prices | None = None
    versions: dict[str, str] = Field(default_factory=dict)
    outputs: dict[str, Any] = Field(default_factory=dict)
    error: ErrorRecord | None = None
    tasks: dict[str, TaskRecord] = Field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """The run's folder: record, logs and report."""
        return Path(self.home) / "runs" / self.run_id

    @property
    def seconds(self) -> float:
        """Wall time, up to now for a run that is still going."""
        return ((self.ended or now()) - self.started).total_seconds()

    @property
    def ordered(self) -> list[TaskRecord]:
        """The steps in the order in which they started; those that did not run come last."""
        return sorted(
            self.tasks.values(),
            key=lambda task: task.started.timestamp() if task.started else float("inf"),
        )

    @property
    def bill(self) -> Bill:
        """What the run took, and what its result took."""
        tasks = self.tasks.values()
        return Bill(
            run=total(task.usage for task in tasks if task.state is not State.CACHED),
            result=total(task.usage for task in tasks if task.state in DONE),
            prices=self.prices,
        )

    @property
    def failed_tasks(self) -> list[TaskRecord]:
        """The steps that failed themselves, not those skipped because of them."""
        return [task for task in self.tasks.values() if task.state is State.FAILED]


@dataclass(frozen=True)
class Event:
    """Something that happened in a run, for displays.

    Attributes:
        kind: ``run_started``, ``task`` (its record changed), ``message`` or ``run_ended``.
        run: The run's record at that moment; do not change it.
        task: The step concerned.
        text: The message.
    """

    kind: str
    run: RunRecord
    task: TaskRecord | None = None
    text: str = ""


Listener = Callable[[Event], None]


def now() -> datetime:
    """The current time, with its zone."""
    return datetime.now(UTC)


class RunLog:
    """Changes a run's record from many threads; writes it and tells the listener each time."""

    def __init__(self, run: RunRecord, listener: Listener | None = None) -> None:
        self.run = run
        self._listener = listener
        self._lock = threading.RLock()

    def add(self, task: TaskRecord) -> TaskRecord:
        """Adds a step."""
        with self._lock:
            self.run.tasks[task.name] = task
        return task

    def update(self, task: TaskRecord, **changes: Any) -> None:
        """Changes a step's record."""
        with self._lock:
            for name, value in changes.items():
                setattr(task, name, value)
            self._publish(Event("task", self.run, task))

    def update_run(self, kind: str, **changes: Any) -> None:
        """Changes the run's own fields."""
        with self._lock:
            for name, value in changes.items():
                setattr(self.run, name, value)
            self._publish(Event(kind, self.run))

    def message(self, text: str) -> None:
        """Tells people something."""
        with self._lock:
            self._tell(Event("message", self.run, text=text))

    def _publish(self, event: Event) -> None:
        write_record(self.run)
        self._tell(event)

    def _tell(self, event: Event) -> None:
        if self._listener:
            try:
                self._listener(event)
            except Exception:
                # A display that fails must not take the run with it.
                _LOGGER.exception("the listener failed at %s", event.kind)


def write_record(run: RunRecord) -> None:
    """Writes ``run.json`` whole or not at all.

    Raises:
        StorageError: It cannot be written.
    """
    target = run.folder / RUN_FILE
    partial = target.with_suffix(".partial")
    try:
        run.folder.mkdir(parents=True, exist_ok=True)
        partial.write_text(run.model_dump_json(indent=1), encoding="utf-8")
        os.replace(partial, target)
    except OSError as error:
        raise StorageError(
            f"The record of the run cannot be written: {error}.",
            fix="Free space there or make it writable, then resume the run.",
        ) from error
