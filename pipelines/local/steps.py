"""Runs one step: finds its finished result, or executes it and keeps the result."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from headrace.pipelines.local import kfp_internals as kfp
from headrace.pipelines.local.cost import total
from headrace.pipelines.local.failures import Files, StepFailedError, check, step_error
from headrace.pipelines.local.fingerprint import CodeDigests, digest_json, library_versions
from headrace.pipelines.local.home import Home
from headrace.pipelines.local.memory import MemoryWatch
from headrace.pipelines.local.records import Outputs, RunLog, State, TaskRecord, now
from headrace.pipelines.local.resources import Slots, Stopped, gpus
from headrace.pipelines.local.spec import Executor
from headrace.pipelines.local.store import FinishedStep, Found, StepStore
from headrace.pipelines.local.warm import TFX, Handle, WarmPool, kind_of

_MAX_BACKOFF_SECONDS = 3600.0
_RUN_PLACEHOLDER = "{{$.pipeline_"


@dataclass
class Leaf:
    """A task that executes something.

    Attributes:
        plain: The task's name in its own DAG.
        record: What is kept about it; its name is unique in the run.
        urgency: How many tasks follow one another behind it.
        always: Whether an earlier attempt of this run does not count, as for exit handlers.
    """

    plain: str
    task: Any
    component: Any
    executor: Executor
    record: TaskRecord
    urgency: int = 0
    always: bool = False


@dataclass
class Services:
    """What all steps of a run share."""

    home: Home
    log: RunLog
    store: StepStore
    pool: WarmPool
    slots: Slots
    memory: MemoryWatch
    stop: threading.Event
    code: CodeDigests = field(default_factory=CodeDigests)
    running: dict[str, float] = field(default_factory=dict)


class StepRunner:
    """Runs the leaves of a pipeline's DAGs."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._run = services.log.run

    def run(self, leaf: Leaf, arguments: kfp.Values) -> kfp.Values:
        """The leaf's outputs.

        Raises:
            StepFailedError: The step failed.
            Stopped: The run is being stopped.
        """
        if leaf.executor.is_importer:
            return self._import(leaf, arguments)
        key = self._key(leaf, arguments)
        if found := self._services.store.find(leaf.plain, key):
            self._record(leaf, found, State.CACHED, started=now(), ended=now())
            return found.values
        return self._attempt_all(leaf, arguments, key)

    def _import(self, leaf: Leaf, arguments: kfp.Values) -> kfp.Values:
        values = kfp.run_importer(
            leaf.executor.spec.importer,
            leaf.component,
            arguments,
            pipeline=self._run.pipeline,
            task=leaf.record.name,
            run_id=self._run.run_id,
        )
        outputs = self._services.store.describe_outputs(values)
        self._services.store.remember(outputs)
        self._services.log.update(
            leaf.record, state=State.SUCCEEDED, outputs=outputs, started=now(), ended=now()
        )
        return values

    def _key(self, leaf: Leaf, arguments: kfp.Values) -> str:
        executor = leaf.executor
        message = kfp.executor_input(leaf.component, arguments, Path("root"))
        inputs = kfp.executor_input_dict(message, leaf.component).get("inputs", {})
        parts: dict[str, Any] = {
            "image": executor.image,
            "command": executor.command,
            "env": executor.env,
            "inputs": self._services.store.describe_inputs(inputs),
            "code": self._services.code.of(executor.source),
            "libraries": library_versions(tfx=kind_of(executor.image) == TFX),
        }
        is_cacheable = self._run.cache and leaf.task.caching_options.enable_cache
        if leaf.always:
            parts["salt"] = [self._run.run_id, leaf.record.name, self._run.resumed]
        elif not is_cacheable or _RUN_PLACEHOLDER in json.dumps(parts["inputs"]) + "".join(
            executor.command
        ):
            parts["salt"] = [self._run.run_id, leaf.record.name]
        return digest_json(parts)

    def _attempt_all(self, leaf: Leaf, arguments: kfp.Values, key: str) -> kfp.Values:
        policy = leaf.task.retry_policy
        delay = float(policy.backoff_duration.seconds)
        longest = float(policy.backoff_max_duration.seconds) or _MAX_BACKOFF_SECONDS
        for attempt in range(policy.max_retry_count + 1):
            try:
                return self._attempt(leaf, arguments, key, attempt)
            except StepFailedError as failure:
                if attempt == policy.max_retry_count or not failure.may_retry:
                    raise
                self._services.log.message(
                    f"{leaf.record.name}: attempt {attempt + 1} failed, trying again in "
                    f"{min(delay, longest):g} s. {failure.record.message}"
                )
            if self._services.stop.wait(min(delay, longest)):
                raise Stopped
            delay *= policy.backoff_factor or 2.0
        raise AssertionError("the last attempt returns or raises")

    def _attempt(self, leaf: Leaf, arguments: kfp.Values, key: str, attempt: int) -> kfp.Values:
        services = self._services
        executor = leaf.executor
        kind = kind_of(executor.image)
        if kind == TFX and not services.pool.is_ready(kind):
            services.log.message(f"{leaf.record.name} waits for TensorFlow to load")
        process = services.pool.get(kind)
        with services.slots.hold(
            executor.memory_request or executor.memory_limit, urgency=leaf.urgency
        ):
            started, clock = now(), time.monotonic()
            services.log.update(
                leaf.record, state=State.RUNNING, started=started, attempts=attempt + 1
            )
            services.running[leaf.record.name] = clock
            workspace = self._workspace(leaf, attempt)
            try:
                message = kfp.executor_input(leaf.component, arguments, workspace.root)
                workspace.write(self._command(leaf, message), executor, services.home)
                handle = process.submit(
                    f"{leaf.record.name}#{attempt}", workspace.request, executor.env
                )
                found = self._finish(leaf, handle, workspace, message, key, clock)
            finally:
                services.running.pop(leaf.record.name, None)
                services.home.discard(workspace.code)
        self._record(leaf, found, State.SUCCEEDED, started=started, ended=now())
        return found.values

    def _workspace(self, leaf: Leaf, attempt: int) -> Workspace:
        prefix = f"{self._run.run_id}-{leaf.record.name}"
        logs = self._run.folder / "logs"
        workspace = Workspace(
            root=self._services.home.partial / prefix,
            code=self._services.home.partial / f"{prefix}.code",
            files=Files(logs / f"{leaf.record.name}.log", logs / f"{leaf.record.name}.error.json"),
        )
        workspace.prepare(self._services.home, attempt)
        self._services.log.update(leaf.record, log=str(workspace.files.log))
        return workspace

    def _command(self, leaf: Leaf, message: Any) -> list[str]:
        return kfp.resolve_command(
            leaf.executor.command,
            kfp.executor_input_dict(message, leaf.component),
            pipeline=f"{self._run.pipeline}-{self._run.run_id}",
            task=leaf.record.name,
            root=str(self._services.home.steps),
            run_id=self._run.run_id,
        )

    def _finish(
        self, leaf: Leaf, handle: Handle, workspace: Workspace, message: Any, key: str, clock: float
    ) -> Found:
        services = self._services
        limit = leaf.executor.memory_limit
        services.memory.add(handle, limit)
        handle.done.wait()
        peak = services.memory.remove(handle)
        if services.stop.is_set():
            raise Stopped
        seconds = time.monotonic() - clock
        cpu_seconds = handle.ending.cpu_seconds if handle.ending else 0.0
        step = FinishedStep(
            key=key,
            outputs=Outputs(),
            run_id=self._run.run_id,
            log=str(workspace.files.log),
            seconds=seconds,
            cpu_seconds=cpu_seconds,
            peak_memory_mb=peak / 1e6,
            gpus=min(leaf.executor.accelerators, gpus()),
        )
        services.log.update(
            leaf.record,
            seconds=seconds,
            cpu_seconds=cpu_seconds,
            peak_memory_mb=step.peak_memory_mb,
            usage=total([leaf.record.usage, step.usage]),
        )
        check(leaf.record.name, handle, workspace.files, peak=peak, limit=limit)
        try:
            values = kfp.read_outputs(message, leaf.component)
        except ValueError as error:
            raise step_error(
                f"Step `{leaf.record.name}` wrote an output that cannot be read: {error}",
                "Have the step write what its output's type says.",
                workspace.files.log,
            ) from error
        return services.store.add(leaf.plain, workspace.root, values, step)

    def _record(self, leaf: Leaf, found: Found, state: State, **times: Any) -> None:
        step = found.step
        is_cached = state is State.CACHED
        self._services.log.update(
            leaf.record,
            state=state,
            seconds=0.0 if is_cached else step.seconds,
            cpu_seconds=0.0 if is_cached else step.cpu_seconds,
            peak_memory_mb=0.0 if is_cached else step.peak_memory_mb,
            usage=step.usage if is_cached else leaf.record.usage,
            cache_key=step.key,
            folder=str(found.folder),
            outputs=step.outputs,
            log=step.log,
            **times,
        )


@dataclass(frozen=True)
class Workspace:
    """Where one attempt of a step writes."""

    root: Path
    code: Path
    files: Files

    @property
    def request(self) -> Path:
        """The description of the step for its process."""
        return self.code / "request.json"

    def prepare(self, home: Home, attempt: int) -> None:
        """Empties the folders; the log keeps earlier attempts of the same run."""
        for folder in (self.root, self.code):
            home.discard(folder)
            folder.mkdir(parents=True)
        self.files.log.parent.mkdir(parents=True, exist_ok=True)
        self.files.error.unlink(missing_ok=True)
        with self.files.log.open("a" if attempt else "w", encoding="utf-8") as stream:
            stream.write(f"--- attempt {attempt + 1} ---\n" if attempt else "")

    def write(self, command: list[str], executor: Executor, home: Home) -> None:
        """Writes the request."""
        is_python = executor.source is not None
        request = {
            "id": self.root.name,
            "argv": command[4:] if is_python else command,
            "source": command[3] if is_python else None,
            "env": executor.env,
            "home": str(home.path),
            "log": str(self.files.log),
            "error": str(self.files.error),
            "cwd": str(Path.cwd()),
            "code": str(self.code),
        }
        self.request.write_text(json.dumps(request), encoding="utf-8")
