"""Compiled pipelines as they are sent."""

from __future__ import annotations

import contextlib
import copy
import hashlib
import json
import tempfile
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml

from headrace.components.shared.config.platform import Platform
from headrace.components.shared.errors import ConfigError
from headrace.pipelines.compile import PipelineName, compiled

#: Whoever starts a run says what its data are; a default would make the cache answer for ever.
_ALWAYS_ASKED = "data_version"
_COMPILE = "Name a file that `headrace compile` wrote."


@dataclass(frozen=True)
class Package:
    """The documents of a compiled pipeline.

    Attributes:
        spec: The pipeline.
        platform: Settings for Kubernetes; empty when there are none.
    """

    spec: dict[str, Any]
    platform: dict[str, Any] = field(default_factory=dict)

    def require_parameters(self, arguments: Collection[str], where: str) -> None:
        """Refuses a pipeline that another version of Headrace compiled.

        Args:
            arguments: Names of the arguments that it is to be given.
            where: Where it is from, for the message.

        Raises:
            ConfigError: its parameters are others.
        """
        parameters = self.spec["root"].get("inputDefinitions", {}).get("parameters", {})
        required = {name for name, one in parameters.items() if not one.get("isOptional")}
        strange = sorted((set(arguments) - set(parameters)) | (required - set(arguments)))
        if strange:
            raise ConfigError(
                f"{where} was compiled by another version: its parameters differ in "
                f"{', '.join(strange)}.",
                fix="Write it again with `headrace compile`.",
            )

    def without_cache(self) -> Package:
        """The same with caching off in every step.

        KFP's client changes the outermost tasks only, and ours are inside an exit handler.
        """
        spec = copy.deepcopy(self.spec)
        for dag in (spec["root"], *spec.get("components", {}).values()):
            for task in dag.get("dag", {}).get("tasks", {}).values():
                task["cachingOptions"] = {}
        return replace(self, spec=spec)

    def with_defaults(self, arguments: Mapping[str, Any]) -> Package:
        """The same with a project's arguments as its defaults."""
        spec = copy.deepcopy(self.spec)
        parameters = spec["root"]["inputDefinitions"]["parameters"]
        for name, value in arguments.items():
            if name != _ALWAYS_ASKED:
                parameters[name].update(defaultValue=value, isOptional=True)
        return replace(self, spec=spec)

    @property
    def documents(self) -> list[dict[str, Any]]:
        """What a file with the package holds."""
        return [document for document in (self.spec, self.platform) if document]

    @property
    def fingerprint(self) -> str:
        """A short hash of the content."""
        text = json.dumps(self.documents, sort_keys=True, default=str)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    @contextlib.contextmanager
    def file(self) -> Iterator[Path]:
        """A file with the package, as KFP's client wants it, for a while."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "pipeline.yaml"
            with path.open("w", encoding="utf-8") as stream:
                yaml.dump_all(self.documents, stream, Dumper=yaml.CSafeDumper, sort_keys=False)
            yield path


def read(path: Path) -> Package:
    """The pipeline in a YAML file.

    Raises:
        ConfigError: it is not one.
    """
    try:
        spec, *others = _documents(path.read_text(encoding="utf-8")) or [None]
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(
            f"{path} cannot be read as a compiled pipeline: {error}", fix=_COMPILE
        ) from None
    if not isinstance(spec, dict) or "pipelineInfo" not in spec:
        raise ConfigError(
            f"{path} is not a compiled pipeline: it has no pipelineInfo.", fix=_COMPILE
        )
    if len(others) > 1 or not all(isinstance(o, dict) and "platforms" in o for o in others):
        raise ConfigError(
            f"{path} holds {len(others) + 1} documents, and not a pipeline and settings for its "
            "platform.",
            fix=_COMPILE,
        )
    return Package(spec, *others)


def of_project(name: PipelineName, platform: Platform) -> Package:
    """The pipeline as a project's section ``platform`` asks for it.

    Raises:
        ConfigError: a server would refuse it.
    """
    return Package(*_documents(compiled(name, target="kubeflow", platform=platform)))


def _documents(text: str) -> list[Any]:
    return list(yaml.load_all(text, Loader=yaml.CSafeLoader))
