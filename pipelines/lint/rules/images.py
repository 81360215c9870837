"""HR201 to HR203: images that may be something else tomorrow."""

from __future__ import annotations

from collections.abc import Iterator

from headrace.pipelines.lint.model import Found, Settings, Severity, rule
from headrace.pipelines.lint.pipeline import Pipeline, Step

_WHY = "The cache compares the image's name, not its content"
_FIX = "Name it by digest: {name}@sha256:…"


@rule("HR201", "no-image", Severity.ERROR, "A container needs an image.")
def no_image(pipeline: Pipeline, settings: Settings) -> Iterator[Found]:
    """Finds containers without any image."""
    for step in pipeline.steps:
        if not step.container.image:
            yield Found(step.task.path, "The step has no image.", "Give the component an image.")


@rule(
    "HR202",
    "moving-tag",
    Severity.WARNING,
    f"{_WHY}: a moved tag runs new code in one step and keeps old results in the next.",
)
def moving_tag(pipeline: Pipeline, settings: Settings) -> Iterator[Found]:
    """Finds images without tag, or with the tag ``latest``."""
    for step, name, tag in _tagged(pipeline):
        if tag in ("", "latest"):
            what = "the tag `latest`" if tag else "no tag"
            yield Found(step.task.path, f"Image `{name}` has {what}.", _FIX.format(name=name))


@rule(
    "HR203",
    "unpinned-image",
    Severity.WARNING,
    f"{_WHY}: the same tag with new code is a cache hit, with the old code's result.",
)
def unpinned(pipeline: Pipeline, settings: Settings) -> Iterator[Found]:
    """Finds images that a tag names and no digest."""
    for step, name, tag in _tagged(pipeline):
        if tag not in ("", "latest"):
            message = f"Image `{name}:{tag}` is not pinned by digest."
            yield Found(step.task.path, message, _FIX.format(name=name))


def _tagged(pipeline: Pipeline) -> Iterator[tuple[Step, str, str]]:
    """Steps whose image has no digest: name and tag. Images from parameters are not known yet."""
    for step in pipeline.steps:
        image = step.container.image
        if image and "@" not in image and "{{" not in image:
            folder, slash, last = image.rpartition("/")
            name, _, tag = last.partition(":")
            yield step, f"{folder}{slash}{name}", tag


RULES = (no_image, moving_tag, unpinned)
