"""The steps of a pipeline before it runs: names, and which step waits for which."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from headrace.pipelines.local.spec import Pipeline, is_group
from headrace.pipelines.local.warm import TFX, kind_of

Names = frozenset[str]
_NONE: Names = frozenset()


@dataclass
class PlannedStep:
    """A leaf task.

    Attributes:
        name: Unique in the pipeline; iterations of loops add their numbers to it.
        path: The tasks of the DAGs it is in.
        urgency: How many steps follow one another behind it.
    """

    name: str
    component: str
    path: tuple[str, ...]
    upstream: Names
    in_loop: bool
    needs_tfx: bool
    urgency: int = 0


@dataclass
class _Place:
    """Where a DAG stands: its path, its name prefix, and what its inputs come from."""

    path: tuple[str, ...] = ()
    prefix: tuple[str, ...] = ()
    in_loop: bool = False
    inputs: Mapping[str, Names] = field(default_factory=dict)
    control: Names = _NONE


@dataclass
class _Result:
    """The steps behind a task's outputs, and those that end it."""

    sinks: Names
    outputs: Mapping[str, Names] = field(default_factory=dict)

    def behind(self, output: str) -> Names:
        return self.outputs.get(output, self.sinks)


def step_name(prefix: tuple[str, ...], task: str) -> str:
    """The name of a task's step inside pipelines used as components."""
    return ".".join((*prefix, task))


def nested_prefix(prefix: tuple[str, ...], task: str) -> tuple[str, ...]:
    """The prefix inside a DAG task: control-flow groups add nothing to names."""
    return prefix if is_group(task) else (*prefix, task)


def plan(pipeline: Pipeline) -> dict[str, PlannedStep]:
    """All steps by name, in an order in which they can run."""
    planner = _Planner(pipeline)
    planner.visit(pipeline.root, _Place())
    _set_urgency(planner.steps)
    return planner.steps


class _Planner:
    def __init__(self, pipeline: Pipeline) -> None:
        self._pipeline = pipeline
        self.steps: dict[str, PlannedStep] = {}

    def visit(self, component: Any, place: _Place) -> _Result:
        tasks = component.dag.tasks
        results: dict[str, _Result] = {}
        for name in _in_order(tasks):
            results[name] = self._visit_task(name, tasks[name], place, results)
        awaited = {name for task in tasks.values() for name in task.dependent_tasks}
        ends = [result.sinks for name, result in results.items() if name not in awaited]
        outputs = {
            name: _union(results[task].behind(key) for task, key in sources if task in results)
            for name, sources in dag_output_sources(component.dag).items()
        }
        return _Result(_union(ends), outputs)

    def _visit_task(
        self, name: str, task: Any, place: _Place, results: Mapping[str, _Result]
    ) -> _Result:
        inputs = {key: _sources(spec, place, results) for key, spec in _inputs(task)}
        producers = {_producer(spec) for _, spec in _inputs(task)}
        after = _union(
            results[dependency].sinks
            for dependency in task.dependent_tasks
            if dependency not in producers and dependency in results
        )
        # The first steps inside a condition wait for what the condition reads.
        control = after if task.dependent_tasks else after | place.control
        component = self._pipeline.component(task)
        if component.WhichOneof("implementation") == "dag":
            return self._visit_dag(name, task, component, place, inputs, control)
        self._add(name, task, place, _union(inputs.values()) | control)
        return _Result(frozenset({step_name(place.prefix, name)}))

    def _visit_dag(
        self,
        name: str,
        task: Any,
        component: Any,
        place: _Place,
        inputs: dict[str, Names],
        control: Names,
    ) -> _Result:
        from headrace.pipelines.local.conditions import inputs_of

        read = inputs_of(task.trigger_policy.condition)
        items = items_input(task)
        if items:
            inputs[items[1]] = inputs.get(items[0], _NONE)
        inner = _Place(
            path=(*place.path, name),
            prefix=nested_prefix(place.prefix, name),
            in_loop=place.in_loop or items is not None,
            inputs=inputs,
            control=control | _union(inputs.get(key, _NONE) for key in read),
        )
        return self.visit(component, inner)

    def _add(self, name: str, task: Any, place: _Place, upstream: Names) -> None:
        executor = self._pipeline.executor(task)
        step = step_name(place.prefix, name)
        self.steps[step] = PlannedStep(
            name=step,
            component=task.component_ref.name.removeprefix("comp-"),
            path=place.path,
            upstream=upstream,
            in_loop=place.in_loop,
            needs_tfx=kind_of(executor.image) == TFX,
        )


def items_input(task: Any) -> tuple[str, str] | None:
    """For a loop: the input that holds the items (empty when constant), and that of one item."""
    kind = task.WhichOneof("iterator")
    if kind == "parameter_iterator":
        iterator = task.parameter_iterator
        return str(iterator.items.input_parameter), str(iterator.item_input)
    if kind == "artifact_iterator":
        return (
            str(task.artifact_iterator.items.input_artifact),
            str(task.artifact_iterator.item_input),
        )
    return None


def dag_output_sources(dag: Any) -> dict[str, list[tuple[str, str]]]:
    """Each output of a DAG: the tasks and output keys it may come from (several for OneOf)."""
    sources = {}
    for name, selector in dag.outputs.parameters.items():
        if selector.WhichOneof("kind") == "value_from_oneof":
            candidates = list(selector.value_from_oneof.parameter_selectors)
        else:
            candidates = [selector.value_from_parameter]
        sources[name] = [(c.producer_subtask, c.output_parameter_key) for c in candidates]
    for name, selector in dag.outputs.artifacts.items():
        sources[name] = [
            (c.producer_subtask, c.output_artifact_key) for c in selector.artifact_selectors
        ]
    return sources


def _in_order(tasks: Mapping[str, Any]) -> list[str]:
    ordered: dict[str, None] = {}

    def visit(name: str) -> None:
        if name in ordered or name not in tasks:
            return
        for dependency in sorted(tasks[name].dependent_tasks):
            visit(dependency)
        ordered[name] = None

    for name in sorted(tasks):
        visit(name)
    return list(ordered)


def _inputs(task: Any) -> list[tuple[str, Any]]:
    return [*task.inputs.parameters.items(), *task.inputs.artifacts.items()]


def _producer(spec: Any) -> str:
    kind = spec.WhichOneof("kind")
    return str(getattr(spec, kind).producer_task) if kind and kind.startswith("task_") else ""


def _sources(spec: Any, place: _Place, results: Mapping[str, _Result]) -> Names:
    kind = spec.WhichOneof("kind")
    if kind in {"component_input_parameter", "component_input_artifact"}:
        return place.inputs.get(getattr(spec, kind), _NONE)
    producer = results.get(_producer(spec))
    if producer is None:
        return _NONE
    source = getattr(spec, kind)
    if kind == "task_output_parameter":
        return producer.behind(source.output_parameter_key)
    if kind == "task_output_artifact":
        return producer.behind(source.output_artifact_key)
    return producer.sinks


def _union(groups: Iterable[Names]) -> Names:
    return frozenset().union(*groups)


def _set_urgency(steps: Mapping[str, PlannedStep]) -> None:
    downstream: dict[str, list[str]] = defaultdict(list)
    for step in steps.values():
        for name in step.upstream:
            downstream[name].append(step.name)
    for step in reversed(list(steps.values())):
        step.urgency = max((steps[name].urgency + 1 for name in downstream[step.name]), default=0)
