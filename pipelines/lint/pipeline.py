"""A compiled pipeline as the rules see it: every task once, with its path and what it runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from google.protobuf import json_format
from kfp.dsl.component_factory import EXECUTOR_MODULE
from kfp.pipeline_spec import pipeline_spec_pb2 as pb

#: Images that stand for work of the driver; no container of theirs ever starts.
_DRIVER_IMAGES = frozenset({"argostub/createpvc", "argostub/deletepvc"})
_ROOT = "root"
_ALWAYS: int = pb.PipelineTaskSpec.TriggerPolicy.ALL_UPSTREAM_TASKS_COMPLETED


@dataclass(frozen=True)
class Task:
    """A task, where it is, and the tasks beside it.

    Attributes:
        path: Groups and name, from the outside in, with slashes between.
        name: Its name in its DAG.
        spec: The PipelineTaskSpec.
        component: The ComponentSpec that it runs; None if there is none of that name.
        siblings: The PipelineTaskSpecs of its DAG, itself included.
        scope: Name of the component whose DAG it is in, or `root`.
    """

    path: str
    name: str
    spec: Any
    component: Any
    siblings: Mapping[str, Any]
    scope: str

    @property
    def keys(self) -> tuple[str, ...]:
        """Where it is in the document."""
        inside = ("root",) if self.scope == _ROOT else ("components", self.scope)
        return (*inside, "dag", "tasks", self.name)

    @property
    def is_exit_task(self) -> bool:
        """Whether it runs whatever became of the tasks before it."""
        return runs_always(self.spec)

    def producers(self) -> Iterator[tuple[str, str]]:
        """Inputs that come from another task: name of the input, name of that task."""
        for name, given in self.spec.inputs.parameters.items():
            if given.HasField("task_output_parameter"):
                yield name, given.task_output_parameter.producer_task
        for name, given in self.spec.inputs.artifacts.items():
            if given.HasField("task_output_artifact"):
                yield name, given.task_output_artifact.producer_task

    def upstream(self) -> list[str]:
        """Tasks that must end before this one starts, sorted."""
        return sorted({*self.spec.dependent_tasks, *(task for _, task in self.producers())})


@dataclass(frozen=True)
class Step:
    """A container, and the first task that runs it."""

    task: Task
    container: Any

    @property
    def words(self) -> list[str]:
        """Command and arguments."""
        return [*self.container.command, *self.container.args]

    @property
    def script(self) -> list[str]:
        """Command and arguments without the source of a function that KFP ships along."""
        words = self.words
        for index, word in enumerate(words):
            # Alone, the module's name is part of a command that gets its source from the image.
            if EXECUTOR_MODULE in word and word != EXECUTOR_MODULE:
                return [*words[: index + 1], *words[index + 2 :]]
        return words


@dataclass(frozen=True)
class Pipeline:
    """One file's documents, parsed as far as they can be.

    Attributes:
        document: The pipeline's document, without the wrapper of a job.
        spec: The PipelineSpec message, without fields that it does not know.
        deployment: The PipelineDeploymentConfig message, likewise.
        platforms: Documents with a `platforms` key.
        extras: Documents that are nothing known.
        wrapped: Whether the pipeline was inside the document of a job.
        errors: What the messages' parser refused, besides unknown fields.
    """

    document: Mapping[str, Any]
    spec: Any
    deployment: Any
    platforms: list[Mapping[str, Any]] = field(default_factory=list)
    extras: list[Any] = field(default_factory=list)
    wrapped: bool = False
    errors: list[str] = field(default_factory=list)

    @cached_property
    def tasks(self) -> list[Task]:
        """Every task, a shared component's inner tasks only under its first user."""
        return list(self._walk(_ROOT, self.spec.root, "", {_ROOT}))

    @cached_property
    def steps(self) -> list[Step]:
        """Every container that a cluster starts, under the first task that runs it."""
        steps: dict[str, Step] = {}
        for task, executor in self.executors():
            if executor.WhichOneof("spec") == "container":
                step = Step(task, executor.container)
                if step.container.image not in _DRIVER_IMAGES:
                    steps.setdefault(task.component.executor_label, step)
        return list(steps.values())

    def executors(self) -> Iterator[tuple[Task, Any]]:
        """Every leaf task with its ExecutorSpec."""
        for task in self.tasks:
            label = task.component.executor_label if task.component is not None else ""
            if label in self.deployment.executors:
                yield task, self.deployment.executors[label]

    def _walk(self, scope: str, inside: Any, prefix: str, seen: set[str]) -> Iterator[Task]:
        for name, spec in sorted(inside.dag.tasks.items()):
            reference = spec.component_ref.name
            # Looking up a key adds it to a message's map.
            known = reference in self.spec.components
            component = self.spec.components[reference] if known else None
            yield Task(f"{prefix}{name}", name, spec, component, inside.dag.tasks, scope)
            if component is not None and reference not in seen:
                seen.add(reference)
                yield from self._walk(reference, component, f"{prefix}{name}/", seen)


def runs_always(spec: Any) -> bool:
    """Whether a task's trigger lets it run after failures."""
    return bool(spec.trigger_policy.strategy == _ALWAYS)


def build(document: Mapping[str, Any], **rest: Any) -> Pipeline:
    """Parses a pipeline's document, leniently: the rules say what is wrong with it."""
    errors: list[str] = []
    spec = _parse(document, pb.PipelineSpec(), "", errors)
    deployment_document = document.get("deploymentSpec", document.get("deployment_spec"))
    deployment = _parse(
        deployment_document or {}, pb.PipelineDeploymentConfig(), "deploymentSpec: ", errors
    )
    return Pipeline(document, spec, deployment, errors=errors, **rest)


def _parse(document: Any, message: Any, where: str, errors: list[str]) -> Any:
    try:
        return json_format.ParseDict(document, message, ignore_unknown_fields=True)
    except (json_format.ParseError, TypeError, ValueError, AttributeError) as error:
        errors.append(where + str(error).splitlines()[0].removesuffix("."))
        return message
