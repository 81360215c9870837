"""HR101 to HR106: placeholders that nothing replaces.

Kubeflow's launcher replaces inputs and outputs in commands and arguments. Its driver replaces a
``PIPELINE_*`` placeholder only where that is the whole value of a task's input.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from headrace.pipelines.lint.model import (
    Found,
    Settings,
    Severity,
    Target,
    Version,
    rule,
    show_version,
)
from headrace.pipelines.lint.pipeline import Pipeline, Step

_PLACEHOLDER = re.compile(r"\{\{\$[^{}]*\}\}")
_ABOUT_RUN = re.compile(r"\{\{\$\.(?:pipeline_\w+|workspace_path)\}\}")
_INPUT = re.compile(
    r"\{\{\$\.(?P<side>inputs|outputs)\.(?P<kind>parameters|artifacts)"
    r"\['(?P<name>[^']+)'\](?P<part>\.\w+)?\}\}"
)
_PARTS: dict[tuple[str, str], set[str | None]] = {
    ("inputs", "parameters"): {None},
    ("inputs", "artifacts"): {".uri", ".path"},
    ("outputs", "parameters"): {".output_file"},
    ("outputs", "artifacts"): {".uri", ".path"},
}
_EXECUTOR_INPUT = "{{$}}"
_WORKSPACE = "{{$.workspace_path}}"
#: Whole-value placeholders of task inputs, with the release that began to replace them.
_REPLACED_SINCE: dict[str, Version] = {
    "{{$.pipeline_job_name}}": (2, 5, 0),
    "{{$.pipeline_job_resource_name}}": (2, 5, 0),
    "{{$.pipeline_job_uuid}}": (2, 5, 0),
    "{{$.pipeline_task_name}}": (2, 5, 0),
    "{{$.pipeline_task_uuid}}": (2, 5, 0),
    _WORKSPACE: (2, 15, 0),
    "{{$.pipeline_job_create_time_utc}}": (2, 16, 0),
    "{{$.pipeline_job_schedule_time_utc}}": (2, 16, 0),
}
_AS_INPUT = "Give the step an input and pass the placeholder alone as its value."


@rule(
    "HR101",
    "concat-placeholder",
    Severity.ERROR,
    "No open-source backend implements ConcatPlaceholder: the step gets JSON as its argument.",
    only=Target.KUBEFLOW,
)
def concat(pipeline: Pipeline, settings: Settings) -> Iterator[Found]:
    """Finds it in commands and arguments, also inside an IfPresentPlaceholder."""
    for step in pipeline.steps:
        for word in step.words:
            if _holds(_structure(word), "Concat"):
                yield Found(
                    step.task.path,
                    f"The command has a ConcatPlaceholder: {_short(word)}.",
                    "Write an f-string, such as f'--name={name}': inputs in it are replaced.",
                )


@rule(
    "HR102",
    "if-present-placeholder",
    Severity.ERROR,
    "Backends below 2.17 do not implement IfPresentPlaceholder: the step gets JSON instead.",
    only=Target.KUBEFLOW,
    until=(2, 16, 999),
)
def if_present(pipeline: Pipeline, settings: Settings) -> Iterator[Found]:
    """Finds it in commands and arguments."""
    for step in pipeline.steps:
        for word in step.words:
            if _holds(_structure(word), "IfPresent"):
                yield Found(
                    step.task.path,
                    f"The command has an IfPresentPlaceholder: {_short(word)}.",
                    "Use backend 2.17, or give the input a default that the program understands.",
                )


@rule(
    "HR103",
    "pipeline-placeholder",
    Severity.ERROR,
    "A PIPELINE_* placeholder is replaced only as the whole value of a task's input.",
    only=Target.KUBEFLOW,
)
def about_run(pipeline: Pipeline, settings: Settings) -> Iterator[Found]:
    """Finds placeholders about the run in commands, environments and texts."""
    for step in pipeline.steps:
        for word in [*step.words, *(variable.value for variable in step.container.env)]:
            for placeholder in _ABOUT_RUN.findall(word):
                message = f"`{placeholder}` in the command or environment stays as it is."
                yield Found(step.task.path, message, _AS_INPUT)
    for path, name, value in _texts(pipeline):
        for placeholder in _ABOUT_RUN.findall(value):
            problem = _input_problem(placeholder, value, settings.backend)
            if problem:
                yield Found(path, f"`{placeholder}` in input `{name}` {problem[0]}.", problem[1])


@rule(
    "HR104",
    "unknown-placeholder",
    Severity.ERROR,
    "The launcher leaves a placeholder that it does not know in the command as it is.",
    only=Target.KUBEFLOW,
)
def unknown(pipeline: Pipeline, settings: Settings) -> Iterator[Found]:
    """Compares placeholders with what the launcher knows and the component has."""
    for step in pipeline.steps:
        for word in step.words:
            for placeholder in _PLACEHOLDER.findall(word):
                problem = _command_problem(placeholder, step)
                if problem:
                    fix = "Correct it; of an artifact there are only `uri` and `path`."
                    yield Found(step.task.path, f"`{placeholder}` {problem}.", fix)
        for variable in step.container.env:
            for placeholder in _PLACEHOLDER.findall(variable.value):
                if not _ABOUT_RUN.fullmatch(placeholder):
                    yield Found(
                        step.task.path,
                        f"`{placeholder}` in variable `{variable.name}` stays as it is.",
                        "Pass it as an argument: nothing is replaced in the environment.",
                    )


@rule(
    "HR105",
    "omitted-default",
    Severity.ERROR,
    "Backend 2.17.0 resolves commands before it fills in defaults (kubeflow/pipelines #14175).",
    only=Target.KUBEFLOW,
    since=(2, 17, 0),
    until=(2, 17, 0),
)
def omitted_default(pipeline: Pipeline, settings: Settings) -> Iterator[Found]:
    """Finds inputs that a command names and that a task leaves to their default."""
    for task, executor in pipeline.executors():
        words = [*executor.container.command, *executor.container.args]
        # Words with outputs are left to the launcher, which does fill in defaults.
        text = "\0".join(w for w in words if "$.outputs" not in w and not _structure(w))
        named = {m["name"] for m in _INPUT.finditer(text) if m["kind"] == "parameters"}
        definitions = task.component.input_definitions.parameters
        omitted = [
            name
            for name in sorted(named & set(definitions))
            if definitions[name].is_optional and name not in task.spec.inputs.parameters
        ]
        if omitted:
            names = ", ".join(f"`{name}`" for name in omitted)
            yield Found(
                task.path,
                f"The command names inputs that the task leaves to their defaults: {names}.",
                "Pass them explicitly, also where they have the default's value.",
            )


@rule(
    "HR106",
    "if-present-artifact",
    Severity.ERROR,
    "In backend 2.17.0 IfPresentPlaceholder looks at parameters alone (kubeflow/pipelines #14175).",
    only=Target.KUBEFLOW,
    since=(2, 17, 0),
    until=(2, 17, 0),
)
def if_present_artifact(pipeline: Pipeline, settings: Settings) -> Iterator[Found]:
    """Finds the placeholder with the name of an artifact."""
    for step in pipeline.steps:
        for word in step.words:
            condition = (_structure(word) or {}).get("IfPresent")
            name = str(condition.get("InputName")) if isinstance(condition, dict) else ""
            if name in step.task.component.input_definitions.artifacts:
                yield Found(
                    step.task.path,
                    f"IfPresentPlaceholder takes artifact `{name}` for absent, always.",
                    "Make two components, one with the artifact and one without.",
                )


def _structure(word: str) -> Any:
    """A placeholder that is written as JSON, or None."""
    if not word.lstrip().startswith(('{"Concat"', '{"IfPresent"')):
        return None
    try:
        return json.loads(word)
    except ValueError:
        return None


def _holds(structure: Any, key: str) -> bool:
    if isinstance(structure, dict):
        return key in structure or any(_holds(value, key) for value in structure.values())
    return isinstance(structure, list) and any(_holds(item, key) for item in structure)


def _short(word: str, width: int = 60) -> str:
    return f"`{word}`" if len(word) <= width else f"`{word[:width]}…`"


def _texts(pipeline: Pipeline) -> Iterator[tuple[str, str, str]]:
    """Path, input and value of every constant text that a task gets."""
    for task in pipeline.tasks:
        for name, given in sorted(task.spec.inputs.parameters.items()):
            text = given.runtime_value.constant.string_value
            if text:
                yield task.path, name, text


def _input_problem(placeholder: str, value: str, backend: Version) -> tuple[str, str] | None:
    since = _REPLACED_SINCE.get(placeholder)
    if since is None:
        return "stays as it is: no backend replaces it", "Do without it."
    if backend < since:
        fix = "Upgrade the backend, or pass the value as a parameter of the pipeline."
        return f"is replaced from backend {show_version(since)} on", fix
    if value != placeholder and placeholder != _WORKSPACE:
        return "is part of a longer text and stays as it is", _AS_INPUT
    return None


def _command_problem(placeholder: str, step: Step) -> str | None:
    if placeholder == _EXECUTOR_INPUT or _ABOUT_RUN.fullmatch(placeholder):
        return None
    match = _INPUT.fullmatch(placeholder)
    if not match or match["part"] not in _PARTS[match["side"], match["kind"]]:
        return "is nothing that the launcher replaces"
    component = step.task.component
    inputs = match["side"] == "inputs"
    definitions = component.input_definitions if inputs else component.output_definitions
    if match["name"] not in getattr(definitions, match["kind"]):
        return f"names none of the component's {match['kind']}"
    return None


RULES = (concat, if_present, about_run, unknown, omitted_default, if_present_artifact)
