"""Runs a compiled pipeline on this machine."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

from headrace.components.shared import files
from headrace.pipelines.local import kfp_internals as kfp
from headrace.pipelines.local import report
from headrace.pipelines.local.cost import Prices
from headrace.pipelines.local.dag import DagResult, DagRunner, Hooks, Scope
from headrace.pipelines.local.failures import StepFailedError, runner_error
from headrace.pipelines.local.home import Home
from headrace.pipelines.local.memory import MemoryWatch
from headrace.pipelines.local.plan import PlannedStep, plan, step_name
from headrace.pipelines.local.records import (
    Listener,
    RunLog,
    RunRecord,
    State,
    TaskRecord,
    now,
)
from headrace.pipelines.local.resources import Slots, Stopped
from headrace.pipelines.local.spec import Pipeline, load
from headrace.pipelines.local.starting import new_run, resumed_run
from headrace.pipelines.local.steps import Leaf, Services, StepRunner
from headrace.pipelines.local.store import StepStore
from headrace.pipelines.local.warm import CORE, TFX, WarmPool

PIPELINE_FILE = "pipeline.yaml"
_TICK_SECONDS = 0.25
#: A step that takes longer than this announces a run worth loading TensorFlow for.
_TFX_AFTER_SECONDS = 0.7
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def run(
    yaml_path: Path,
    arguments: dict[str, Any],
    *,
    home: Path,
    project: str = "",
    cache: bool = True,
    resume: str | None = None,
    prices: Prices | None = None,
    on_event: Listener | None = None,
) -> RunRecord:
    """Runs a compiled pipeline to its end.

    Args:
        yaml_path: What KFP's compiler wrote.
        arguments: Values of the pipeline's parameters.
        home: Where runs and finished steps are kept.
        project: Whom the run belongs to, for listings.
        cache: Whether results of earlier runs count.
        resume: A run id, or ``latest``: continue that run, with the arguments it was started with.
        prices: What compute costs; a resumed run keeps its own when left out.
        on_event: Told of everything that happens, from several threads but one at a time.

    Returns:
        The run's record. Its state says whether the run succeeded, failed or was interrupted.

    Raises:
        HeadraceError: The pipeline, the arguments or the home cannot be used.
    """
    pipeline = load(yaml_path)
    place = Home(home)
    place.prepare()
    record = (
        resumed_run(place, pipeline, arguments, resume)
        if resume
        else new_run(place, pipeline, arguments, project=project, cache=cache)
    )
    record.yaml_path = str(yaml_path.absolute())
    record.prices = prices or record.prices
    with place.owned(record.run_id):
        place.remove_leftovers(record.run_id)
        with files.writing(record.folder):
            (record.folder / "logs").mkdir(parents=True, exist_ok=True)
            (record.folder / PIPELINE_FILE).write_bytes(yaml_path.read_bytes())
        return _Run(pipeline, place, RunLog(record, on_event)).execute()


class _Run:
    """One run, while it goes on."""

    def __init__(self, pipeline: Pipeline, home: Home, log: RunLog) -> None:
        self._pipeline = pipeline
        self._log = log
        self._plan = plan(pipeline)
        self._stop = threading.Event()
        self._awaiting_tfx = {step.name for step in self._plan.values() if step.needs_tfx}
        self._is_tfx_started = False
        self._result: DagResult | None = None
        self._services = Services(
            home=home,
            log=log,
            store=StepStore(home),
            pool=WarmPool(log.run.folder / "logs"),
            slots=Slots(self._stop),
            memory=MemoryWatch(),
            stop=self._stop,
        )
        self._steps = StepRunner(self._services)

    def execute(self) -> RunRecord:
        """Runs everything; returns the final record."""
        run = self._log.run
        run.tasks = {
            step.name: _task_record(step) for step in self._plan.values() if not step.in_loop
        }
        pool = self._services.pool
        thread = threading.Thread(target=self._run_root, name="pipeline")
        with self._stopping_on_signals():
            try:
                self._log.update_run("run_started", state=State.RUNNING)
                pool.start(CORE)
                thread.start()
                pool.serve(lambda: not thread.is_alive(), tick=_TICK_SECONDS, on_tick=self._on_tick)
            finally:
                self._stop.set()
                self._services.slots.wake()
                pool.close()
                if thread.ident is not None:
                    thread.join()
                self._services.memory.close()
            self._conclude()
        return run

    def _run_root(self) -> None:
        try:
            self._result = self._run_dags()
        except Stopped:
            pass
        except Exception as error:
            failure = runner_error("the pipeline", error)
            self._result = DagResult({}, str(failure))
            self._log.run.error = failure.record
        self._services.pool.wake()

    def _run_dags(self) -> DagResult:
        hooks = Hooks(run=self._run_leaf, skip=self._skip, fail=self._fail)
        run = self._log.run
        dags = DagRunner(self._pipeline, hooks, self._stop, f"{run.pipeline}-{run.run_id}")
        return dags.run(self._pipeline.root, dict(run.arguments), Scope())

    def _run_leaf(self, scope: Scope, name: str, task: Any, arguments: kfp.Values) -> kfp.Values:
        planned = self._plan[step_name(scope.prefix, name)]
        inputs = task.inputs.parameters.values()
        leaf = Leaf(
            plain=name,
            task=task,
            component=self._pipeline.component(task),
            executor=self._pipeline.executor(task),
            record=self._record_of(planned, scope),
            urgency=planned.urgency,
            always=any(spec.HasField("task_final_status") for spec in inputs),
        )
        given = {key: value for key, value in arguments.items() if value is not None}
        try:
            return self._steps.run(leaf, given)
        except StepFailedError as failure:
            self._log.update(leaf.record, state=State.FAILED, error=failure.record, ended=now())
            raise
        except Stopped:
            if leaf.record.state is State.RUNNING and leaf.record.started:
                seconds = (now() - leaf.record.started).total_seconds()
                self._log.update(leaf.record, state=State.INTERRUPTED, ended=now(), seconds=seconds)
            raise
        finally:
            self._awaiting_tfx.discard(planned.name)

    def _skip(self, scope: Scope, name: str, reason: str) -> None:
        for record in self._records_below(scope, name):
            self._log.update(record, state=State.SKIPPED, reason=reason)

    def _fail(self, scope: Scope, name: str, failure: StepFailedError) -> None:
        open_states = {State.PENDING, State.RUNNING}
        records = [r for r in self._records_below(scope, name) if r.state in open_states]
        for number, record in enumerate(records):
            if number == 0:
                self._log.update(record, state=State.FAILED, error=failure.record, ended=now())
            else:
                self._log.update(record, state=State.SKIPPED, reason=f"{name} could not start")

    def _records_below(self, scope: Scope, name: str) -> Iterator[TaskRecord]:
        path = (*scope.path, name)
        for planned in self._plan.values():
            is_leaf = planned.path == scope.path and planned.name == step_name(scope.prefix, name)
            if is_leaf or planned.path[: len(path)] == path:
                self._awaiting_tfx.discard(planned.name)
                yield self._record_of(planned, scope)

    def _record_of(self, planned: PlannedStep, scope: Scope) -> TaskRecord:
        record = _task_record(planned, scope.indices)
        return self._log.run.tasks.get(record.name) or self._log.add(record)

    def _on_tick(self) -> None:
        clocks = list(self._services.running.values())
        is_long = any(time.monotonic() - clock > _TFX_AFTER_SECONDS for clock in clocks)
        if is_long and self._awaiting_tfx and not self._is_tfx_started:
            self._is_tfx_started = True
            self._services.pool.start(TFX)

    @contextlib.contextmanager
    def _stopping_on_signals(self) -> Iterator[None]:
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def stop(_number: int, _frame: FrameType | None) -> None:
            # Locks may be held by the very code that was interrupted: do the least, in a thread.
            threading.Thread(target=self._halt, name="halt").start()

        before: dict[int, Any] = {number: signal.signal(number, stop) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _halt(self) -> None:
        self._stop.set()
        self._services.slots.wake()
        self._services.pool.close()

    def _conclude(self) -> None:
        run = self._log.run
        failed = run.failed_tasks
        error = run.error
        if self._result is None:
            state = State.INTERRUPTED
        elif self._result.failure or failed:
            state = State.FAILED
            error = failed[0].error if failed else error
        else:
            state = State.SUCCEEDED
        self._log.update_run(
            "run_ended",
            state=state,
            error=error,
            ended=now(),
            outputs=_plain(self._result.outputs if self._result else {}),
            peak_memory_mb=max(run.peak_memory_mb, self._services.memory.total_peak / 1e6),
        )
        report.write(run)


def _task_record(planned: PlannedStep, indices: tuple[int, ...] = ()) -> TaskRecord:
    return TaskRecord(
        name=".".join((planned.name, *map(str, indices))),
        group=planned.name,
        component=planned.component,
        parent="/".join(planned.path),
        upstream=sorted(planned.upstream),
    )


def _plain(values: kfp.Values) -> dict[str, Any]:
    """A pipeline's outputs as JSON data: artifacts by URI."""

    def convert(value: Any) -> Any:
        if isinstance(value, list):
            return [convert(item) for item in value]
        return value.uri if kfp.is_artifact(value) else value

    return {name: convert(value) for name, value in values.items()}
