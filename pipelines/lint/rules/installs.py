"""HR206 and HR207: packages that a step installs when it starts."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator

from headrace.pipelines.lint.model import Found, Settings, Severity, rule
from headrace.pipelines.lint.pipeline import Pipeline, Step

_INSTALL = re.compile(r"\bpip3?\s+install\b(.*)", re.DOTALL)
_KFP = re.compile(r"kfp(?![\w.-])")


@rule(
    "HR206",
    "runtime-install",
    Severity.WARNING,
    "A step that installs packages needs the network, and gets other versions another day.",
)
def runtime_install(pipeline: Pipeline, settings: Settings) -> Iterator[Found]:
    """Finds ``pip install`` of anything but KFP in commands."""
    for step in pipeline.steps:
        others = [packages for packages in _installs(step) if not _is_kfp(packages)]
        named = ", ".join(package for packages in others for package in packages)
        if others:
            yield Found(
                step.task.path,
                f"The step installs packages when it starts: {named or 'from a file'}.",
                "Build an image with these packages, and drop packages_to_install.",
            )


@rule(
    "HR207",
    "runtime-kfp",
    Severity.WARNING,
    "KFP's SDK lets each step install KFP unless told otherwise: seconds and network, every time.",
)
def runtime_kfp(pipeline: Pipeline, settings: Settings) -> Iterator[Found]:
    """Finds ``pip install kfp`` in commands."""
    for step in pipeline.steps:
        if any(_is_kfp(packages) for packages in _installs(step)):
            yield Found(
                step.task.path,
                "The step installs KFP when it starts.",
                "Have kfp in the image, and declare @dsl.component(install_kfp_package=False).",
            )


def _installs(step: Step) -> Iterator[list[str]]:
    """The packages of each call of pip in a step's command."""
    for word in step.script:
        for call in re.split(r"&&|\|\||\n", word):
            match = _INSTALL.search(call)
            if match:
                yield [text for text in _split(match[1]) if not text.startswith("-")]


def _split(text: str) -> list[str]:
    try:
        return shlex.split(text)
    except ValueError:  # a quote that another part of the command closes
        return text.split()


def _is_kfp(packages: list[str]) -> bool:
    # The SDK's own call installs a library for old Pythons beside KFP.
    return any(_KFP.match(package) for package in packages)


RULES = (runtime_install, runtime_kfp)
