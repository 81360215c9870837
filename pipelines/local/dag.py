"""Runs DAGs: each task in a thread of its own as soon as what it waits for is done."""

from __future__ import annotations

import contextlib
import json
import queue
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from enum import Enum
from functools import partial
from typing import Any

from headrace.components.shared.errors import HeadraceError
from headrace.pipelines.local import kfp_internals as kfp
from headrace.pipelines.local.conditions import evaluate
from headrace.pipelines.local.failures import StepFailedError, runner_error, step_error
from headrace.pipelines.local.inputs import TaskInputs
from headrace.pipelines.local.plan import dag_output_sources, items_input, nested_prefix
from headrace.pipelines.local.resources import Stopped
from headrace.pipelines.local.spec import Pipeline, is_group

_LOOP_THREADS = 16


class Outcome(Enum):
    """How a task ended."""

    SUCCEEDED = "SUCCEEDED"
    FAILED = "FAILED"
    #: Something it waits for failed.
    BLOCKED = "BLOCKED"
    #: Its condition was false, or it needs the output of a task that did not run.
    NOT_RUN = "NOT_RUN"
    STOPPED = "STOPPED"


_BAD = frozenset({Outcome.FAILED, Outcome.BLOCKED, Outcome.STOPPED})


@dataclass(frozen=True)
class Scope:
    """Which DAG of the pipeline, and in which iteration of which loops."""

    path: tuple[str, ...] = ()
    prefix: tuple[str, ...] = ()
    indices: tuple[int, ...] = ()


@dataclass(frozen=True)
class Hooks:
    """What a DAG does with its leaves.

    Attributes:
        run: Runs a leaf task; raises StepFailedError or Stopped.
        skip: Told of a task, leaf or DAG, that does not run, and why.
        fail: Told of a leaf or DAG that cannot even start.
    """

    run: Callable[[Scope, str, Any, kfp.Values], kfp.Values]
    skip: Callable[[Scope, str, str], None]
    fail: Callable[[Scope, str, StepFailedError], None]


@dataclass
class DagResult:
    """A DAG's outputs, or why it has none."""

    outputs: kfp.Values
    failure: str = ""


class DagRunner:
    """Runs a pipeline's DAGs, recursively."""

    def __init__(
        self, pipeline: Pipeline, hooks: Hooks, stop: threading.Event, job_name: str
    ) -> None:
        self.pipeline = pipeline
        self.hooks = hooks
        self.stop = stop
        self.job_name = job_name

    def run(
        self,
        component: Any,
        arguments: kfp.Values,
        scope: Scope,
        *,
        outer: kfp.IOStore | None = None,
    ) -> DagResult:
        """Runs one DAG to its end.

        Args:
            component: The DAG's ComponentSpec.
            arguments: Its input values.
            scope: Where it stands.
            outer: The values around a control-flow group.

        Raises:
            Stopped: The run is being stopped.
        """
        return _Dag(self, component, arguments, scope, outer).execute()


class _Dag:
    """One DAG, while it runs; its own thread alone changes its state."""

    def __init__(
        self,
        runner: DagRunner,
        component: Any,
        arguments: kfp.Values,
        scope: Scope,
        outer: kfp.IOStore | None,
    ) -> None:
        self._runner = runner
        self._component = component
        self._tasks: Mapping[str, Any] = component.dag.tasks
        self._scope = scope
        self._outcomes: dict[str, Outcome] = {}
        self._failures: dict[str, str] = {}
        self._ended: queue.SimpleQueue[tuple[str, Outcome, kfp.Values, str]] = queue.SimpleQueue()
        self._store = kfp.IOStore(parent=outer)
        self._inputs = TaskInputs(runner.pipeline, self._store)
        for name, value in arguments.items():
            self._store.put_parent_input(name, value)

    def execute(self) -> DagResult:
        running: set[str] = set()
        while True:
            while ready := self._ready(running):
                for name in ready:
                    if self._start(name):
                        running.add(name)
            if not running:
                break
            name, outcome, outputs, failure = self._ended.get()
            running.remove(name)
            self._end(name, outcome, outputs, failure)
        if self._runner.stop.is_set():
            raise Stopped
        if any(outcome in _BAD for outcome in self._outcomes.values()):
            return DagResult({}, next(iter(self._failures.values()), "A step failed."))
        return DagResult(self._outputs())

    def _ready(self, running: set[str]) -> list[str]:
        if self._runner.stop.is_set():
            return []
        return [
            name
            for name, task in self._tasks.items()
            if name not in self._outcomes
            and name not in running
            and all(d in self._outcomes for d in task.dependent_tasks if d in self._tasks)
        ]

    def _start(self, name: str) -> bool:
        """Starts a task's thread, unless it turns out at once that the task does not run."""
        task = self._tasks[name]
        try:
            arguments, reason, outcome = self._prepare(task)
        except HeadraceError as error:
            failure = step_error(error.message, error.fix)
            self._runner.hooks.fail(self._scope, name, failure)
            self._end(name, Outcome.FAILED, {}, error.message)
            return False
        if arguments is None:
            self._runner.hooks.skip(self._scope, name, reason)
            self._end(name, outcome, {}, "")
            return False
        threading.Thread(target=self._run, args=(name, task, arguments), name=name).start()
        return True

    def _prepare(self, task: Any) -> tuple[kfp.Values | None, str, Outcome]:
        is_always = task.trigger_policy.strategy == kfp.TRIGGER_ALWAYS
        bad = [d for d in task.dependent_tasks if self._outcomes.get(d) in _BAD]
        if bad and not is_always:
            return None, f"{', '.join(sorted(bad))} did not succeed", Outcome.BLOCKED
        arguments, missing = self._inputs.of(task, self._final_status)
        if missing:
            reason = f"{', '.join(sorted(missing))} gave no output"
            return None, reason, Outcome.BLOCKED if bad else Outcome.NOT_RUN
        condition = task.trigger_policy.condition
        if condition and not evaluate(condition, arguments):
            return None, f"condition is false: {condition}", Outcome.NOT_RUN
        return arguments, "", Outcome.SUCCEEDED

    def _final_status(self, producer: str) -> dict[str, Any]:
        outcome = self._outcomes.get(producer, Outcome.SUCCEEDED)
        has_failed = outcome in _BAD
        message = self._failures.get(producer, "")
        return {
            "state": "FAILED" if has_failed else "SUCCEEDED",
            "pipeline_job_resource_name": self._runner.job_name,
            "pipeline_task_name": producer,
            "error": {"code": 1, "message": message} if has_failed else {},
        }

    def _run(self, name: str, task: Any, arguments: kfp.Values) -> None:
        outcome, outputs, failure = Outcome.FAILED, {}, ""
        try:
            result = self._dispatch(name, task, arguments)
            outputs, failure = result.outputs, result.failure
            outcome = Outcome.FAILED if failure else Outcome.SUCCEEDED
        except Stopped:
            outcome = Outcome.STOPPED
        except StepFailedError as error:
            failure = str(error)
        except Exception as error:
            unforeseen = runner_error(f"`{name}`", error)
            failure = str(unforeseen)
            # With a full disk not even this can be written.
            with contextlib.suppress(HeadraceError):
                self._runner.hooks.fail(self._scope, name, unforeseen)
        finally:
            self._ended.put((name, outcome, outputs, failure))

    def _dispatch(self, name: str, task: Any, arguments: kfp.Values) -> DagResult:
        component = self._runner.pipeline.component(task)
        if component.WhichOneof("implementation") != "dag":
            return DagResult(self._runner.hooks.run(self._scope, name, task, arguments))
        scope = replace(
            self._scope,
            path=(*self._scope.path, name),
            prefix=nested_prefix(self._scope.prefix, name),
        )
        for key, definition in component.input_definitions.parameters.items():
            if key not in arguments and definition.is_optional:
                arguments[key] = kfp.value_to_python(definition.default_value)
        outer = self._store if is_group(name) else None
        run = partial(self._runner.run, component, outer=outer)
        if task.WhichOneof("iterator"):
            return self._loop(task, component, arguments, scope, run)
        return run(arguments, scope)

    def _loop(
        self,
        task: Any,
        component: Any,
        arguments: kfp.Values,
        scope: Scope,
        run: Callable[[kfp.Values, Scope], DagResult],
    ) -> DagResult:
        names = items_input(task)
        assert names is not None
        source, item_name = names
        items = arguments[source] if source else json.loads(task.parameter_iterator.items.raw)
        if isinstance(items, str):
            items = json.loads(items)

        def iterate(number: int) -> DagResult:
            inner = replace(scope, indices=(*scope.indices, number))
            return run({**arguments, item_name: items[number]}, inner)

        limit = task.iterator_policy.parallelism_limit or _LOOP_THREADS
        with ThreadPoolExecutor(max_workers=limit, thread_name_prefix="loop") as pool:
            results = list(pool.map(iterate, range(len(items))))
        if failures := [result.failure for result in results if result.failure]:
            return DagResult({}, failures[0])
        definitions = component.output_definitions
        return DagResult(
            {
                name: _collected([result.outputs[name] for result in results])
                for name in (*definitions.parameters, *definitions.artifacts)
                if all(name in result.outputs for result in results)
            }
        )

    def _end(self, name: str, outcome: Outcome, outputs: kfp.Values, failure: str) -> None:
        self._outcomes[name] = outcome
        if failure:
            self._failures[name] = failure
        for key, value in outputs.items():
            self._store.put_task_output(name, key, value)

    def _outputs(self) -> kfp.Values:
        outputs = {}
        for name, sources in dag_output_sources(self._component.dag).items():
            for task, key in sources:
                try:
                    outputs[name] = self._store.get_task_output(task, key)
                    break
                except ValueError:
                    # OneOf: this branch did not run.
                    continue
        return outputs


def _collected(values: list[Any]) -> list[Any]:
    """Outputs of a loop's iterations in order; artifacts of inner loops become one flat list."""
    flat: list[Any] = []
    for value in values:
        is_artifacts = isinstance(value, list) and value and kfp.is_artifact(value[0])
        flat.extend(value if is_artifacts else [value])
    return flat
