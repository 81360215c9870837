"""Gathers a task's input values from its DAG."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from headrace.pipelines.local import kfp_internals as kfp
from headrace.pipelines.local.spec import Pipeline

_CHANNEL = "pipelinechannel--"


class TaskInputs:
    """The values that a DAG's tasks get, out of the DAG's store."""

    def __init__(self, pipeline: Pipeline, store: kfp.IOStore) -> None:
        self._pipeline = pipeline
        self._store = store

    def of(
        self, task: Any, final_status: Callable[[str], dict[str, Any]]
    ) -> tuple[kfp.Values, set[str]]:
        """A task's input values, and the tasks whose outputs it needs and cannot get.

        Args:
            task: The task's spec.
            final_status: Tells how a task ended, for exit handlers.
        """
        definitions = self._pipeline.component(task).input_definitions
        inputs = type(task.inputs)()
        inputs.CopyFrom(task.inputs)
        missing = set()
        for group, defined in (
            (inputs.parameters, definitions.parameters),
            (inputs.artifacts, definitions.artifacts),
        ):
            for key, spec in list(group.items()):
                producer = self._unavailable(spec)
                if producer is None:
                    continue
                if producer and not defined[key].is_optional:
                    missing.add(producer)
                del group[key]
        arguments = kfp.task_arguments(inputs, self._store)
        for key, spec in inputs.parameters.items():
            if spec.HasField("task_final_status"):
                arguments[key] = final_status(spec.task_final_status.producer_task)
        return arguments, missing

    def _unavailable(self, spec: Any) -> str | None:
        """None when an input's source is there, else the producing task, or nothing known."""
        kind = spec.WhichOneof("kind")
        source = getattr(spec, kind)
        try:
            if kind == "task_output_parameter":
                self._store.get_task_output(source.producer_task, source.output_parameter_key)
            elif kind == "task_output_artifact":
                self._store.get_task_output(source.producer_task, source.output_artifact_key)
            elif kind.startswith("component_input"):
                self._bind_outer(source)
        except ValueError:
            return "" if isinstance(source, str) else str(source.producer_task)
        return None

    def _bind_outer(self, name: str) -> None:
        """Binds an input of this DAG that the compiler forgot to pass into a group."""
        try:
            self._store.get_parent_input(name)
        except ValueError:
            value = self._store.get_parent_input(name.removeprefix(_CHANNEL))
            self._store.put_parent_input(name, value)
