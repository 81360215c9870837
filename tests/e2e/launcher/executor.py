"""The launcher: everything in a step's pod around the step's own command."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2

from tests.e2e.launcher.artifacts import Artifact, stored
from tests.e2e.launcher.container import Container
from tests.e2e.launcher.object_store import ObjectStore, local_path

_ids = itertools.count(1)


class StepError(Exception):
    """A step that KFP would show as failed."""


@dataclass
class Result:
    """What a step has put out.

    Attributes:
        parameters: Values by name.
        artifacts: By name.
        missing: Output artifacts that were declared and not written; the launcher only warns.
    """

    parameters: dict[str, Any] = field(default_factory=dict)
    artifacts: dict[str, Artifact] = field(default_factory=dict)
    missing: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Launcher:
    """Runs steps one by one, each in a container of its own.

    Attributes:
        store: The bucket.
        folder: Where the containers' files and the logs are.
        volumes: Folder of the host to its place in every container.
        secrets: Environment variables that secrets give to every container.
    """

    store: ObjectStore
    folder: Path
    volumes: Mapping[Path, str]
    secrets: Mapping[str, str]

    def execute(
        self, task: str, component: Any, container: Mapping[str, Any], inputs: Any, root: str
    ) -> Result:
        """Runs a step.

        Args:
            task: Its name.
            component: Its component's spec.
            container: Its executor's container.
            inputs: ``inputs`` of the ExecutorInput.
            root: URI below which its outputs go.

        Raises:
            StepError: it failed, or its outputs cannot be read.
        """
        place = Container(self.folder / task, self.volumes)
        message = {"inputs": inputs, "outputs": _provision(component, root)}
        for artifact in _each(inputs["artifacts"]).values():
            self.store.download(artifact["uri"], place.path(local_path(artifact["uri"])))
        for artifact in _each(message["outputs"]["artifacts"]).values():
            place.path(local_path(artifact["uri"])).parent.mkdir(parents=True, exist_ok=True)
        log = self.folder / f"{task}.log"
        env = {entry["name"]: entry["value"] for entry in container.get("env", [])}
        env |= self.secrets
        code = place.run(_command(container, _with_defaults(message, component)), env, log)
        if code:
            raise StepError(f"{task} ended with {code}:\n{log.read_text()[-4000:]}")
        return self._collect(task, component, message["outputs"], place)

    def _collect(self, task: str, component: Any, outputs: Any, place: Container) -> Result:
        written = _read_output(task, place.path(outputs["outputFile"]))
        result = Result(parameters=written.get("parameterValues", {}))
        declared = component.get("outputDefinitions", {})
        for name in declared.get("parameters", {}).keys() - result.parameters.keys():
            raise StepError(f"{task}: output parameter {name!r} was not written")
        told = _each(written.get("artifacts", {}))
        for name, artifact in _each(outputs["artifacts"]).items():
            merged = {**artifact, **told.get(name, {})}
            if not self.store.upload(place.path(local_path(merged["uri"])), merged["uri"]):
                result.missing.append(name)
            result.artifacts[name] = Artifact(
                id=next(_ids),
                uri=merged["uri"],
                schema_title=artifact["type"]["schemaTitle"],
                metadata=stored(merged.get("metadata", {}), name),
            )
        return result


def _provision(component: Any, root: str) -> dict[str, Any]:
    """``outputs`` of the ExecutorInput."""
    declared = component.get("outputDefinitions", {})
    return {
        "artifacts": {
            name: {
                "artifacts": [{"name": name, "uri": f"{root}/{name}", "type": spec["artifactType"]}]
            }
            for name, spec in declared.get("artifacts", {}).items()
        },
        "parameters": {
            name: {"outputFile": f"/tmp/kfp/outputs/{name}"}
            for name in declared.get("parameters", {})
        },
        "outputFile": f"{local_path(root)}/output_metadata.json",
    }


def _each(artifacts: Mapping[str, Any]) -> dict[str, Any]:
    """The first artifact of each list, the only one in the project's pipelines."""
    return {name: entry["artifacts"][0] for name, entry in artifacts.items()}


def _with_defaults(message: dict[str, Any], component: Any) -> dict[str, Any]:
    defined = component.get("inputDefinitions", {}).get("parameters", {})
    values = {n: spec["defaultValue"] for n, spec in defined.items() if "defaultValue" in spec}
    values.update(message["inputs"]["parameterValues"])
    return {**message, "inputs": {**message["inputs"], "parameterValues": values}}


def _command(container: Mapping[str, Any], message: dict[str, Any]) -> list[str]:
    text = json.dumps(message, ensure_ascii=False, separators=(",", ":"))
    words = [*container["command"], *container.get("args", [])]
    return [word.replace("{{$}}", text) for word in words]


def _read_output(task: str, file: Path) -> dict[str, Any]:
    """The step's ExecutorOutput, read as strictly as the launcher's protobuf reader does."""
    if not file.exists():
        return {}
    try:
        written: dict[str, Any] = json.loads(file.read_text(), parse_constant=_refuse)
        json_format.ParseDict(written, pipeline_spec_pb2.ExecutorOutput())
    except (ValueError, json_format.ParseError) as error:
        raise StepError(f"{task}: the executor's output cannot be read: {error}") from error
    return written


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")
