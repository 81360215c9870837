"""Finished steps on disk: found again by key, added whole or not at all."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from headrace.components.shared import files
from headrace.components.shared.errors import StorageError
from headrace.pipelines.local import kfp_internals as kfp
from headrace.pipelines.local.cost import Usage
from headrace.pipelines.local.fingerprint import (
    KEY_LENGTH,
    metadata_for_key,
)
from headrace.pipelines.local.home import Home
from headrace.pipelines.local.records import ArtifactRecord, Outputs

OUTPUTS_FILE = "outputs.json"
_EXTERNAL = "external_path"


class FinishedStep(BaseModel):
    """``outputs.json``: what a finished step gave, and what it took."""

    key: str
    outputs: Outputs
    run_id: str
    log: str
    seconds: float
    cpu_seconds: float
    peak_memory_mb: float
    gpus: int = 0

    @property
    def usage(self) -> Usage:
        """The compute of the attempt that succeeded."""
        return Usage.of(
            self.seconds,
            cpu_seconds=self.cpu_seconds,
            peak_memory_mb=self.peak_memory_mb,
            gpus=self.gpus,
        )


@dataclass
class Found:
    """A finished step and its folder."""

    step: FinishedStep
    folder: Path

    @property
    def values(self) -> kfp.Values:
        """The outputs as KFP's values."""
        artifacts = {
            name: kfp.make_artifact(
                name=record.name, uri=record.uri, type_name=record.type, metadata=record.metadata
            )
            for name, record in self.step.outputs.artifacts.items()
        }
        return {**self.step.outputs.parameters, **artifacts}


class StepStore:
    """The folders ``steps/<task>/<key>`` of a home."""

    def __init__(self, home: Home) -> None:
        self._home = home
        self._digests: dict[str, str] = {}

    def find(self, task: str, key: str) -> Found | None:
        """The finished step with this key, if it is whole and what it wrote elsewhere exists."""
        folder = self._folder(task, key)
        try:
            step = FinishedStep.model_validate_json((folder / OUTPUTS_FILE).read_text("utf-8"))
        except (FileNotFoundError, NotADirectoryError, ValidationError):
            return None
        for record in step.outputs.artifacts.values():
            is_gone = record.digest and not Path(record.uri).exists()
            external = record.metadata.get(_EXTERNAL)
            if step.key != key or is_gone or (external and not Path(str(external)).exists()):
                return None
        self.remember(step.outputs)
        return Found(step, folder)

    def add(self, task: str, partial: Path, values: kfp.Values, step: FinishedStep) -> Found:
        """Moves a finished step's folder to its final place.

        Args:
            task: The step's plain name.
            partial: The folder the step ran in.
            values: The step's outputs, with URIs below ``partial``.
            step: What is known about the step; its outputs are filled in here.
        """
        folder = self._folder(task, step.key)
        for file in partial.glob("executor_output.json"):
            file.write_text(file.read_text("utf-8").replace(str(partial), str(folder)), "utf-8")
        step.outputs = _moved(self.describe_outputs(values), partial, folder)
        (partial / OUTPUTS_FILE).write_text(step.model_dump_json(indent=1), encoding="utf-8")
        folder.parent.mkdir(parents=True, exist_ok=True)
        found = self._place(task, partial, folder, step)
        self.remember(found.step.outputs)
        return found

    def _place(self, task: str, partial: Path, folder: Path, step: FinishedStep) -> Found:
        for _ in range(10):
            try:
                os.rename(partial, folder)
                return Found(step, folder)
            except OSError:
                if not folder.exists():
                    raise
            # Another run was first with the same key, unless what is there is damaged.
            if winner := self.find(task, step.key):
                self._home.discard(partial)
                return winner
            self._home.discard(folder)
        raise StorageError(
            f"The finished step {task} cannot be moved to {folder}.",
            fix="Look for another process that keeps writing there.",
        )

    def describe_outputs(self, values: kfp.Values) -> Outputs:
        """Outputs as they are kept, artifacts with a digest of their content."""
        outputs = Outputs()
        for name, value in values.items():
            if kfp.is_artifact(value):
                outputs.artifacts[name] = ArtifactRecord(
                    name=value.name,
                    type=value.schema_title,
                    uri=value.uri,
                    metadata=value.metadata,
                    digest=files.digest(Path(value.path)),
                )
            else:
                outputs.parameters[name] = value
        return outputs

    def describe_inputs(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """A step's inputs for its key: parameters by value, artifacts by content."""
        artifacts = {
            name: [self._by_content(artifact) for artifact in entry.get("artifacts", [])]
            for name, entry in inputs.get("artifacts", {}).items()
        }
        return {"parameters": inputs.get("parameterValues", {}), "artifacts": artifacts}

    def _by_content(self, artifact: dict[str, Any]) -> dict[str, Any]:
        uri = artifact.get("uri", "")
        # Content that is not on this machine is known by its address only.
        digest = self._digests.get(uri) or files.digest(Path(uri)) or uri
        if uri.startswith(str(self._home.steps)) and digest == uri:
            digest = Path(uri).name
        metadata = metadata_for_key(artifact.get("metadata", {}), self._home.steps)
        return {"type": artifact.get("type"), "digest": digest, "metadata": metadata}

    def remember(self, outputs: Outputs) -> None:
        """Keeps artifacts' digests, so that each content is read once."""
        for record in outputs.artifacts.values():
            self._digests[record.uri] = record.digest

    def _folder(self, task: str, key: str) -> Path:
        return self._home.steps / task / key[:KEY_LENGTH]


def _moved(outputs: Outputs, partial: Path, folder: Path) -> Outputs:
    text = json.dumps(outputs.model_dump(mode="json"))
    old, new = (json.dumps(str(path))[1:-1] for path in (partial, folder))
    return Outputs.model_validate_json(text.replace(old, new))
