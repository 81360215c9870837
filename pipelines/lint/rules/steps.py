"""HR204, HR205, HR208: what a container starts with, and what it lacks."""

from __future__ import annotations

import re
from collections.abc import Iterator

from headrace.pipelines.lint.model import Found, Settings, Severity, Target, rule
from headrace.pipelines.lint.pipeline import Pipeline

_SECRET = re.compile(
    r"(?:^|_)(PASSWORD|PASSWD|TOKEN|SECRET|API_?KEY|CREDENTIALS?)(?:_(?:ACCESS_)?KEY)?$"
)


@rule(
    "HR204",
    "no-command",
    Severity.ERROR,
    "The launcher does not know the image's entry point: it runs the first word it is given.",
    only=Target.KUBEFLOW,
)
def no_command(pipeline: Pipeline, settings: Settings) -> Iterator[Found]:
    """Finds containers that count on the image's entry point."""
    for step in pipeline.steps:
        if not step.container.command:
            what = (
                f"`{step.container.args[0]}` is run as the program"
                if step.container.args
                else "the launcher stops with an error"
            )
            yield Found(
                step.task.path,
                f"The step has no command: {what}.",
                "Write the image's entry point as the command.",
            )


@rule(
    "HR205",
    "no-resources",
    Severity.WARNING,
    "Without a memory request the scheduler packs steps blindly, and they are killed first.",
)
def no_resources(pipeline: Pipeline, settings: Settings) -> Iterator[Found]:
    """Finds containers that say nothing about their memory."""
    for step in pipeline.steps:
        resources = step.container.resources
        stated = (
            resources.resource_memory_request,
            resources.resource_memory_limit,
            resources.memory_request,
            resources.memory_limit,
        )
        if not any(stated):
            yield Found(
                step.task.path,
                "The step has no memory request and no memory limit.",
                "Call set_memory_request() and set_memory_limit() on the task.",
            )


@rule(
    "HR208",
    "literal-secret",
    Severity.WARNING,
    "Whoever may read the pipeline or its runs can read a literal value.",
)
def literal_secret(pipeline: Pipeline, settings: Settings) -> Iterator[Found]:
    """Finds variables, inputs and defaults that are named like secrets and hold a text."""
    fix = "Let the step read it from a secret, as kfp.kubernetes.use_secret_as_env() arranges."
    for step in pipeline.steps:
        for variable in step.container.env:
            if is_secret(variable.name) and _is_literal(variable.value):
                message = f"Variable `{variable.name}` holds a literal value."
                yield Found(step.task.path, message, fix)
    for task in pipeline.tasks:
        for name, given in sorted(task.spec.inputs.parameters.items()):
            if is_secret(name) and _is_literal(given.runtime_value.constant.string_value):
                yield Found(task.path, f"Input `{name}` gets a literal value.", fix)
    for name, definition in sorted(pipeline.spec.root.input_definitions.parameters.items()):
        if is_secret(name) and _is_literal(definition.default_value.string_value):
            yield Found("", f"Parameter `{name}` has a literal default.", fix)


def is_secret(name: str) -> bool:
    """Whether a variable or a parameter is named like a password, a token or a key."""
    return bool(_SECRET.search(name.replace("-", "_").upper()))


def _is_literal(value: str) -> bool:
    # A placeholder, a variable that a shell fills in, or a path to a file is no secret.
    return bool(value) and not value.startswith(("{{", "$", "/"))


RULES = (no_command, no_resources, literal_secret)
