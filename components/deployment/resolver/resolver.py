"""The work of ``resolver``: the newest pushed version that is not the candidate itself."""

from __future__ import annotations

from pathlib import Path

from headrace.components.shared import files
from headrace.components.shared.model_store import EXTRA, ModelStore
from headrace.components.shared.text import markdown_table

#: What a candidate may be, and which part of a version to bring for it.
_PARTS = {"model": "", "statistics": EXTRA}


def run(*, candidate: Path, kind: str, destination: str, model: str, target: Path) -> int:
    """Copies the version to compare with into ``target``.

    A candidate that is already live is compared with the version before it, so repeating a run
    resolves what the first run resolved.

    Args:
        candidate: The model, or the statistics of its training data.
        kind: ``model`` copies the whole version, ``statistics`` only what was recorded with it.
        destination: Folder or URI above the model's folder.
        model: Model name.
        target: Folder to fill; it stays empty when nothing was found.

    Returns:
        The version, 0 when there is none.
    """
    target.mkdir(parents=True, exist_ok=True)
    store = ModelStore(destination, model)
    own = files.digest(candidate)
    for version in store.versions():
        if store.manifest(version).get("digests", {}).get(kind) != own:
            store.fetch(version, target, _PARTS[kind])
            return version
    return 0


def summary(destination: str, model: str, version: int) -> str:
    """What was found, as Markdown."""
    if not version:
        return f"# Nothing to compare with\n\nNo other version of {model} has been pushed.\n"
    store = ModelStore(destination, model)
    manifest = store.manifest(version)
    rows = [
        ("place", store.path(version)),
        ("pushed at", manifest.get("pushed_at", "unknown")),
        ("data version", manifest.get("data_version", "unknown")),
    ]
    return f"# To compare with: version {version}\n\n{markdown_table(('', ''), rows)}"
