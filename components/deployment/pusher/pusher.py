"""The work of ``pusher``: a new version, unless this very model is live already."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headrace.components.shared import examples, files
from headrace.components.shared.config.model import Serving
from headrace.components.shared.model_store import ModelStore
from headrace.components.shared.text import markdown_table


@dataclass(frozen=True)
class Result:
    """Where the model is live."""

    version: int
    path: str
    verdict: str


def run(
    *,
    model: Path,
    schema: Path,
    statistics: Path,
    warmup: Path,
    name: str,
    record: Mapping[str, Any],
    destination: str,
    serving: Mapping[str, Any],
) -> Result:
    """Pushes the SavedModel.

    Args:
        model: SavedModel.
        schema: Schema artifact, recorded with the version.
        statistics: ExampleStatistics artifact; that of the training split is recorded.
        warmup: File of requests to replay; an empty one is left out.
        name: Model name.
        record: More to write into the manifest.
        destination: Folder or URI above the model's folder.
        serving: Keys of :class:`Serving`.

    Raises:
        StorageError: the destination cannot be written; what was live stays live.
    """
    settings = Serving.parse(serving, where="serving")
    store = ModelStore(destination, name)
    digests = {"model": files.digest(model), "statistics": files.digest(statistics)}
    live = next(iter(store.versions()), 0)
    if live and store.manifest(live).get("digests", {}).get("model") == digests["model"]:
        return Result(live, store.path(live), f"already live as version {live}")
    extras = {"schema": schema, "statistics": examples.split_folder(statistics, "train")}
    manifest = {"model": name, "digests": digests, **record}
    version = store.push(model, extras, manifest, warmup if warmup.stat().st_size else None)
    removed = store.prune(settings.keep_versions)
    text = f"pushed as version {version}"
    if removed:
        text += f", removed {', '.join(map(str, removed))}"
    return Result(version, store.path(version), text)


def summary(name: str, result: Result) -> str:
    """What is live, as Markdown."""
    rows = [("place", result.path), ("what happened", result.verdict)]
    return f"# {name}, version {result.version}\n\n{markdown_table(('', ''), rows)}"
