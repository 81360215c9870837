"""Compiled pipelines as they are sent."""

from __future__ import annotations

import contextlib
import hashlib
import json
import tempfile
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from headrace.components.shared.errors import ConfigError

#: Whoever starts a run says what its data are; a default would make the cache answer for ever.
_ALWAYS_ASKED = "data_version"


def read(path: Path) -> dict[str, Any]:
    """The pipeline in a YAML file.

    Raises:
        ConfigError: it is not one.
    """
    try:
        spec = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(
            f"{path} cannot be read as one compiled pipeline: {error}",
            fix="Name a file that `headrace compile` wrote.",
        ) from None
    if not isinstance(spec, dict) or "pipelineInfo" not in spec:
        raise ConfigError(
            f"{path} is not a compiled pipeline: it has no pipelineInfo.",
            fix="Name a file that `headrace compile` wrote.",
        )
    return spec


def require_parameters(path: Path, arguments: Collection[str]) -> None:
    """Refuses a pipeline that another version of Headrace compiled.

    Args:
        path: The compiled pipeline.
        arguments: Names of the arguments that it is to be given.

    Raises:
        ConfigError: its parameters are others.
    """
    parameters = read(path)["root"].get("inputDefinitions", {}).get("parameters", {})
    required = {name for name, definition in parameters.items() if not definition.get("isOptional")}
    strange = sorted((set(arguments) - set(parameters)) | (required - set(arguments)))
    if strange:
        raise ConfigError(
            f"{path} was compiled by another version: its parameters differ in "
            f"{', '.join(strange)}.",
            fix="Write it again with `headrace compile`, and put your images' names in.",
        )


def without_cache(spec: dict[str, Any]) -> dict[str, Any]:
    """The pipeline with caching off in every step.

    KFP's client changes the outermost tasks only, and ours are inside an exit handler.
    """
    dags = [spec["root"], *spec.get("components", {}).values()]
    for dag in dags:
        for task in dag.get("dag", {}).get("tasks", {}).values():
            task["cachingOptions"] = {}
    return spec


def with_defaults(spec: dict[str, Any], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """The pipeline with a project's arguments as its defaults."""
    parameters = spec["root"]["inputDefinitions"]["parameters"]
    for name, value in arguments.items():
        if name != _ALWAYS_ASKED:
            parameters[name].update(defaultValue=value, isOptional=True)
    return spec


@contextlib.contextmanager
def file_of(spec: dict[str, Any]) -> Iterator[Path]:
    """A file with the pipeline, as KFP's client wants it, for a while."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pipeline.yaml"
        text = yaml.dump(spec, Dumper=yaml.CSafeDumper, sort_keys=False)
        path.write_text(text, encoding="utf-8")
        yield path


def fingerprint(spec: dict[str, Any]) -> str:
    """A short hash of the content."""
    text = json.dumps(spec, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]
