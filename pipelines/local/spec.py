"""A compiled pipeline: read from YAML, checked, with its arguments filled in."""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from headrace.components.shared.errors import ConfigError
from headrace.components.shared.quantities import amount
from headrace.pipelines.local import kfp_internals as kfp

_GROUP_DAG = re.compile(r"(exit-handler|condition|condition-branches|for-loop)-\d+")


@dataclass(frozen=True)
class Pipeline:
    """A PipelineSpec and its executors."""

    spec: Any
    executors: Mapping[str, Any]

    @property
    def name(self) -> str:
        """The pipeline's name."""
        return str(self.spec.pipeline_info.name)

    @property
    def root(self) -> Any:
        """The ComponentSpec of the outermost DAG."""
        return self.spec.root

    def component(self, task: Any) -> Any:
        """The ComponentSpec that a task runs."""
        return self.spec.components[task.component_ref.name]

    def executor(self, task: Any) -> Executor:
        """What a leaf task executes."""
        return Executor(self.executors[self.component(task).executor_label])


@dataclass(frozen=True)
class Executor:
    """An ExecutorSpec, with the questions that the runner asks."""

    spec: Any

    @property
    def is_importer(self) -> bool:
        """Whether this is a ``dsl.importer``."""
        return bool(self.spec.WhichOneof("spec") == "importer")

    @property
    def image(self) -> str:
        """The container image's name."""
        return str(self.spec.container.image)

    @property
    def env(self) -> dict[str, str]:
        """The container's environment variables."""
        return {variable.name: variable.value for variable in self.spec.container.env}

    @cached_property
    def command(self) -> list[str]:
        """Command and arguments, with placeholders."""
        return [*self.spec.container.command, *self.spec.container.args]

    @cached_property
    def source(self) -> str | None:
        """The function's source, when this is a lightweight component that installs nothing."""
        command = list(self.spec.container.command)
        is_plain = len(command) == 4 and command[0] == "sh" and "pip install" not in command[2]
        return command[3] if is_plain and kfp.EXECUTOR_MODULE in command[2] else None

    @property
    def memory_request(self) -> int | None:
        """Bytes the step asks for, if it says."""
        return self._memory("request")

    @property
    def memory_limit(self) -> int | None:
        """Bytes the step may use at most, if it says."""
        return self._memory("limit")

    @property
    def accelerators(self) -> int:
        """How many accelerators the step asks for."""
        asked = self.spec.container.resources.accelerator
        return int(asked.resource_count if asked.resource_count.isdecimal() else asked.count)

    def _memory(self, kind: str) -> int | None:
        resources = self.spec.container.resources
        text = getattr(resources, f"resource_memory_{kind}")
        gigabytes = getattr(resources, f"memory_{kind}")
        return parse_quantity(text) if text else int(gigabytes * 10**9) or None


def parse_quantity(text: str) -> int:
    """Bytes of a Kubernetes quantity such as ``512Mi`` or ``4G``.

    Raises:
        ConfigError: The text is no such quantity.
    """
    try:
        return int(amount(text))
    except ValueError:
        raise ConfigError(
            f"Memory `{text}` is not a quantity that can be read.",
            fix="Write a number with K, M, G, Ki, Mi or Gi behind it, such as 2G.",
        ) from None


def is_group(task_name: str) -> bool:
    """Whether a DAG task is a control-flow group rather than a pipeline used as a component."""
    return bool(_GROUP_DAG.fullmatch(task_name))


def load(path: Path) -> Pipeline:
    """Reads a compiled pipeline.

    Raises:
        ConfigError: The file is missing, is not YAML or holds no pipeline.
    """
    import yaml

    if not path.is_file():
        raise ConfigError(
            f"There is no compiled pipeline at {path}.",
            fix="Compile it first, or check the path.",
        )
    try:
        with path.open(encoding="utf-8") as stream:
            # A second document, if any, is Kubernetes configuration: of no use on this machine.
            document = next(iter(yaml.load_all(stream, Loader=yaml.CSafeLoader)), None)
        if not isinstance(document, dict) or "root" not in document:
            raise ValueError("it has no `root`")
        spec = kfp.parse_pipeline_spec(document)
        return Pipeline(spec, kfp.executor_specs(spec))
    except (yaml.YAMLError, ValueError) as error:
        raise ConfigError(
            f"{path} is not a compiled pipeline: {str(error).splitlines()[0]}.",
            fix="Give the YAML file that kfp.compiler.Compiler().compile() wrote.",
        ) from error


def fill_arguments(pipeline: Pipeline, given: Mapping[str, Any]) -> dict[str, Any]:
    """All the pipeline's arguments: the given ones, checked, and defaults for the others.

    Raises:
        ConfigError: An argument is unknown, missing or of the wrong type.
    """
    known = pipeline.root.input_definitions.parameters
    for name in given:
        if name not in known:
            raise ConfigError(
                f"Pipeline `{pipeline.name}` has no parameter `{name}`.",
                fix=_nearest(name, list(known)),
            )
    filled = {}
    for name, definition in known.items():
        if given.get(name) is not None:
            filled[name] = _checked(name, given[name], definition.parameter_type)
        elif definition.is_optional:
            filled[name] = kfp.value_to_python(definition.default_value)
        else:
            raise ConfigError(
                f"Pipeline `{pipeline.name}` needs a value for parameter `{name}`.",
                fix=f"Pass the argument `{name}`.",
            )
    return filled


def _nearest(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    if close:
        return f"Did you mean `{close[0]}`?"
    return f"Parameters are: {', '.join(sorted(known)) or 'none'}."


def _checked(name: str, value: Any, parameter_type: int) -> Any:
    kind = kfp.PARAMETER_TYPE
    allowed: dict[int, tuple[tuple[type, ...], str]] = {
        kind.NUMBER_INTEGER: ((int,), "a whole number"),
        kind.NUMBER_DOUBLE: ((int, float), "a number"),
        kind.STRING: ((str,), "text"),
        kind.BOOLEAN: ((bool,), "true or false"),
        kind.LIST: ((list,), "a list"),
        kind.STRUCT: ((dict,), "a mapping"),
    }
    types, words = allowed.get(parameter_type, ((object,), "anything"))
    is_wrong_bool = isinstance(value, bool) and bool not in types and object not in types
    if is_wrong_bool or not isinstance(value, types):
        raise ConfigError(
            f"Parameter `{name}` expects {words}, got {value!r}.",
            fix=f"Pass {words} for `{name}`.",
        )
    return value
