"""The driver: walks the pipeline's DAGs and resolves what each task gets."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import yaml

from tests.e2e.launcher.executor import Launcher, Result, StepError
from tests.e2e.launcher.object_store import ObjectStore

#: Steps side by side.
_WORKERS = 2
#: Parameter types and what the driver accepts for them; any value may become a text.
_ACCEPTED: dict[str, type | tuple[type, ...]] = {
    "NUMBER_INTEGER": (int, float),
    "NUMBER_DOUBLE": (int, float),
    "BOOLEAN": bool,
    "LIST": list,
    "STRUCT": dict,
    "TASK_FINAL_STATUS": dict,
}
_CONDITION = re.compile(r"inputs\.parameter_values\['(?P<name>[^']+)'\] == true")


@dataclass
class Task:
    """How a task of a run ended.

    Attributes:
        state: ``COMPLETE``, ``FAILED``, ``NOT_TRIGGERED`` or ``SKIPPED``.
        result: What it put out.
        error: Why it failed.
    """

    state: str
    result: Result = field(default_factory=Result)
    error: str = ""


@dataclass
class Run:
    """A run of a compiled pipeline.

    Attributes:
        package: The compiled YAML.
        arguments: Values for its parameters.
        pipeline_root: URI of a bucket's folder; its scheme decides about the mounts.
        folder: Where bucket, containers and logs are.
        volumes: Folder of the host to its place in every container.
        secrets: Environment variables that secrets give to every container.
        tasks: Outcome, by the task's name.
        state: How the run as a whole ended.
    """

    package: Path
    arguments: Mapping[str, Any]
    pipeline_root: str
    folder: Path
    volumes: Mapping[Path, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    tasks: dict[str, Task] = field(default_factory=dict)
    state: str = "PENDING"

    def __post_init__(self) -> None:
        self._spec = yaml.safe_load(self.package.read_text())
        self._id = str(uuid.uuid4())
        self.store = ObjectStore(self.folder / "bucket")
        self._launcher = Launcher(
            self.store, self.folder / "containers", self.volumes, self.secrets
        )

    def go(self) -> Run:
        """Runs the pipeline to its end."""
        root = self._spec["root"]
        defined = root.get("inputDefinitions", {}).get("parameters", {})
        defaults = {n: p["defaultValue"] for n, p in defined.items() if "defaultValue" in p}
        # Every number goes through protobuf, which knows no integers, and JSON, which does.
        values = _whole_numbers({**defaults, **self.arguments})
        self.state = self._dag(root, {"parameterValues": values, "artifacts": {}})
        return self

    def _dag(self, component: Any, inputs: Mapping[str, Any]) -> str:
        tasks = component["dag"]["tasks"]
        order = TopologicalSorter({n: t.get("dependentTasks", ()) for n, t in tasks.items()})
        order.prepare()
        going: dict[Future[None], str] = {}
        with ThreadPoolExecutor(_WORKERS) as pool:
            while order.is_active():
                for name in order.get_ready():
                    going[pool.submit(self._task, name, tasks[name], inputs)] = name
                for done in wait(going, return_when=FIRST_COMPLETED).done:
                    done.result()
                    order.done(going.pop(done))
        return "FAILED" if any(self.tasks[name].state == "FAILED" for name in tasks) else "COMPLETE"

    def _task(self, name: str, task: Any, outer: Mapping[str, Any]) -> None:
        component = self._spec["components"][task["componentRef"]["name"]]
        needed = [self.tasks[other].state for other in task.get("dependentTasks", ())]
        policy = task.get("triggerPolicy", {})
        if "strategy" not in policy and not {"FAILED", "SKIPPED"}.isdisjoint(needed):
            self.tasks[name] = Task("SKIPPED")
            return
        try:
            inputs = self._resolve(task, component, outer)
            if "condition" in policy and not _holds(policy["condition"], inputs):
                self.tasks[name] = Task("NOT_TRIGGERED")
            elif "dag" in component:
                self.tasks[name] = Task(self._dag(component, inputs))
            else:
                self.tasks[name] = Task("COMPLETE", self._execute(name, component, inputs))
        except (StepError, ValueError, KeyError) as error:
            self.tasks[name] = Task("FAILED", error=f"{type(error).__name__}: {error}")

    def _execute(self, name: str, component: Any, inputs: Any) -> Result:
        executors = self._spec["deploymentSpec"]["executors"]
        container = executors[component["executorLabel"]]["container"]
        pipeline = self._spec["pipelineInfo"]["name"]
        root = f"{self.pipeline_root}/{pipeline}/{self._id}/{name}/{uuid.uuid4()}"
        result = self._launcher.execute(name, component, container, inputs, root)
        result.parameters = _whole_numbers(result.parameters)
        return result

    def _resolve(self, task: Any, component: Any, outer: Mapping[str, Any]) -> dict[str, Any]:
        """``inputs`` of the ExecutorInput."""
        asked = task.get("inputs", {})
        values = {
            name: self._parameter(source, outer)
            for name, source in asked.get("parameters", {}).items()
        }
        defined = component.get("inputDefinitions", {}).get("parameters", {})
        for name, spec in defined.items():
            if name in values:
                values[name] = _converted(name, values[name], spec["parameterType"])
            elif not spec.get("isOptional") and "defaultValue" not in spec:
                raise ValueError(f"neither value nor default for parameter {name!r}")
        artifacts = {
            name: self._artifact(source, outer)
            for name, source in asked.get("artifacts", {}).items()
        }
        return {"parameterValues": values, "artifacts": artifacts}

    def _parameter(self, source: Any, outer: Mapping[str, Any]) -> Any:
        match source:
            case {"componentInputParameter": name}:
                return outer["parameterValues"][name]
            case {"taskOutputParameter": {"producerTask": task, "outputParameterKey": key}}:
                return self.tasks[task].result.parameters[key]
            case {"runtimeValue": {"constant": value}}:
                return value
            case {"taskFinalStatus": {"producerTask": task}}:
                # The backend tells its own word for the state, and no reason.
                return {
                    "state": self.tasks[task].state,
                    "pipelineJobResourceName": self._id,
                    "pipelineTaskName": task,
                    "error": {},
                }
        raise ValueError(f"unknown source of a parameter: {source}")

    def _artifact(self, source: Any, outer: Mapping[str, Any]) -> Any:
        match source:
            case {"componentInputArtifact": name}:
                return outer["artifacts"][name]
            case {"taskOutputArtifact": {"producerTask": task, "outputArtifactKey": key}}:
                return {"artifacts": [self.tasks[task].result.artifacts[key].as_input()]}
        raise ValueError(f"unknown source of an artifact: {source}")


def _holds(condition: str, inputs: Mapping[str, Any]) -> bool:
    match = _CONDITION.fullmatch(condition)
    if match is None:
        raise ValueError(f"not a condition that this stand-in knows: {condition}")
    return inputs["parameterValues"][match["name"]] is True


def _converted(name: str, value: Any, kind: str) -> Any:
    if kind == "STRING":
        return value if isinstance(value, str) else json.dumps(value)
    if not isinstance(value, _ACCEPTED[kind]):
        raise ValueError(f"input parameter {name!r} type mismatch: expect {kind}, got {value!r}")
    return value


def _whole_numbers(value: Any) -> Any:
    if isinstance(value, list):
        return [_whole_numbers(item) for item in value]
    if isinstance(value, dict):
        return {key: _whole_numbers(item) for key, item in value.items()}
    return int(value) if isinstance(value, float) and value.is_integer() else value
