"""Compiles the pipelines: for every project to ``compiled/``, for one project with its settings.

``compiled/`` holds what is the same for all projects and on all platforms: the first document.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from headrace.components.shared import files
from headrace.components.shared.config.platform import Images, Platform
from headrace.components.shared.errors import ConfigError

if TYPE_CHECKING:
    from headrace.pipelines.platform import Target

COMPILED = Path(__file__).parent / "compiled"
PipelineName = Literal["training", "materialization", "batch_inference"]


def compile_all(folder: Path, *, target: Target, platform: Platform | None = None) -> list[Path]:
    """Writes ``<name>.yaml`` for every pipeline and returns the paths.

    Args:
        folder: Where to.
        target: ``kubeflow`` adds a second document, with settings for Kubernetes.
        platform: A project's settings; the defaults when left out.

    Raises:
        ConfigError: the platform would refuse the pipeline.
    """
    texts = {
        folder / f"{name}.yaml": compiled(name, target=target, platform=platform or Platform())
        for name in get_args(PipelineName)
    }
    for path, text in texts.items():
        files.write_text(path, text)
    return list(texts)


def compiled(name: PipelineName, *, target: Target, platform: Platform) -> str:
    """The YAML of one pipeline.

    Raises:
        ConfigError: the platform would refuse it.
    """
    from kfp import compiler

    from headrace.pipelines.batch_inference.pipeline import batch_inference_pipeline
    from headrace.pipelines.materialization.pipeline import materialization_pipeline
    from headrace.pipelines.platform import with_platform
    from headrace.pipelines.training.pipeline import training_pipeline

    pipelines = {
        "training": training_pipeline,
        "materialization": materialization_pipeline,
        "batch_inference": batch_inference_pipeline,
    }
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.yaml"
        pipeline = with_platform(pipelines[name], platform, target)
        compiler.Compiler().compile(pipeline, str(path))
        _require_accepted(path, target, platform)
        return path.read_text(encoding="utf-8")


@contextlib.contextmanager
def for_this_machine(name: PipelineName, platform: Platform) -> Iterator[Path]:
    """A file with the pipeline for the runner here: the committed one, unless a project differs.

    Images and the second document mean nothing to that runner.
    """
    if not platform.steps:
        yield COMPILED / f"{name}.yaml"
        return
    text = compiled(
        name, target="vertex", platform=platform.model_copy(update={"images": Images()})
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{name}.yaml"
        path.write_text(text, encoding="utf-8")
        yield path


def _require_accepted(path: Path, target: Target, platform: Platform) -> None:
    """Refuses what the linter calls an error, such as settings that the backend does not know."""
    from headrace.pipelines.lint import linter, model

    version = model.parse_version(platform.backend_version)
    settings = model.Settings(target=model.Target(target), backend=version)
    errors = [f for f in linter.lint_file(path, settings) if f.severity is model.Severity.ERROR]
    if errors:
        release = f" {platform.backend_version}" if target == "kubeflow" else ""
        found = [" ".join(filter(None, (one.rule, one.task, one.message))) for one in errors]
        raise ConfigError(
            "\n  ".join([f"{target}{release} would refuse the pipeline {path.stem}:", *found]),
            fix="Change the section `platform` of project.yaml. If your server is newer than its "
            "`backend_version`, say so there.",
        )


if __name__ == "__main__":
    for written in compile_all(COMPILED, target="vertex"):
        print(written)
