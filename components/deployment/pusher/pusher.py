"""The work of ``pusher``: a new version, unless this very model is live already."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from headrace.components.deployment.edge_export.layout import CONTENTS, DESCRIPTION
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
    edge: Path,
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
        edge: What devices get, from ``edge_export``; an empty folder when they get nothing.
        name: Model name.
        record: More to write into the manifest.
        destination: Folder or URI above the model's folder.
        serving: Keys of :class:`Serving`.

    Raises:
        StorageError: the destination cannot be written; what was live stays live.
        ConfigError: there is no key to sign what devices get.
    """
    settings = Serving.parse(serving, where="serving")
    store = ModelStore(destination, name)
    digests = {"model": files.digest(model), "statistics": files.digest(statistics)}
    if (edge / DESCRIPTION).exists():
        digests["edge"] = files.digest(edge / CONTENTS)
    live = next(iter(store.versions()), 0)
    pushed = store.manifest(live).get("digests", {}) if live else {}
    if live and all(pushed.get(part) == digests.get(part) for part in ("model", "edge")):
        if "edge" in digests:
            store.announce(live)  # a push that was killed may not have come so far
        return Result(live, store.path(live), f"already live as version {live}")
    extras = {"schema": schema, "statistics": examples.split_folder(statistics, "train")}
    manifest = {"model": name, "digests": digests, **record}
    version = store.push(
        model,
        extras,
        manifest,
        warmup if warmup.stat().st_size else None,
        bundle=_signed(edge) if "edge" in digests else None,
    )
    removed = store.prune(settings.keep_versions)
    text = f"pushed as version {version}"
    if "edge" in digests:
        text += " with a bundle for devices"
    if removed:
        text += f", removed {', '.join(map(str, removed))}"
    return Result(version, store.path(version), text)


def _signed(edge: Path) -> Callable[[Path, int], None]:
    """Writes the signed bundle of a version.

    Raises:
        ConfigError: there is no key.
    """
    from headrace.serving.edge.bundle import Description, signing_key, write_bundle

    home = os.environ.get("HEADRACE_HOME")  # the local runner tells its steps
    key = signing_key(Path(home) if home else None)
    description = Description.model_validate(files.read_json(edge / DESCRIPTION))

    def write(target: Path, version: int) -> None:
        write_bundle(edge / CONTENTS, target, description, version=version, key=key)

    return write


def summary(name: str, result: Result) -> str:
    """What is live, as Markdown."""
    rows = [("place", result.path), ("what happened", result.verdict)]
    return f"# {name}, version {result.version}\n\n{markdown_table(('', ''), rows)}"
