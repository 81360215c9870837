"""Interface of ``resolver``."""

from kfp import dsl

from headrace.components.shared.interface import CORE_IMAGE, component


@component(CORE_IMAGE)
def resolver(
    candidate: dsl.Input[dsl.Artifact],
    kind: str,
    destination: str,
    model: str,
    resolved: dsl.Output[dsl.Artifact],
    summary: dsl.Output[dsl.Markdown],
) -> int:
    """Finds the newest pushed version other than the candidate: the one to compare with.

    Reads the outside world, so it must not be cached.

    Args:
        candidate: The new model, or the statistics of its training data.
        kind: `model` or `statistics`: what `candidate` is, and what to bring.
        destination: Folder or URI of pushed models.
        model: Model name.
        resolved: The version's SavedModel, or its recorded statistics and schema; empty if none.
        summary: Which version it is.

    Returns:
        The version, 0 when there is none.
    """
    from pathlib import Path

    from headrace.components.deployment.resolver import resolver as work

    version = work.run(
        candidate=Path(candidate.path),
        kind=kind,
        destination=destination,
        model=model,
        target=Path(resolved.path),
    )
    resolved.metadata["version"] = version
    Path(summary.path).write_text(work.summary(destination, model, version))
    return version
