"""The work of ``materialize``: tables to the offline store, their newest rows to the online one."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import fsspec

from headrace.components.shared import files
from headrace.components.shared.errors import DataError
from headrace.components.shared.text import markdown_table

if TYPE_CHECKING:
    from feast import FeatureStore, FeatureView

    from headrace.feature_store.online import WriteResult


def run(
    *, built: Path, repo_code: Mapping[str, str], root: str, until: str
) -> dict[str, WriteResult]:
    """Publishes, applies, and brings online what is new.

    Args:
        built: Folder from ``feature_builder``.
        repo_code: The Feast repository's files by name.
        root: What paths in the repository are relative to.
        until: Last moment to bring online (ISO 8601, UTC when it names no zone); empty for now.

    Returns:
        What was written, by feature view.

    Raises:
        ConfigError: the repository's configuration or ``until`` is not usable.
        StorageError: the tables cannot be written.
        OnlineStoreError: the online store does not answer.
    """
    from headrace.feature_store import repo
    from headrace.feature_store.clock import moment

    end = moment(until)
    publish(built, f"{root.rstrip('/')}/data")
    with repo.registered(repo_code, root) as store:
        return {
            view.name: _bring_online(store, view, end)
            for view in store.list_feature_views()
            if view.online
        }


def publish(built: Path, destination: str) -> None:
    """Puts every table's files into its folder at the destination, each whole.

    Files of the same name are replaced; others, which a stream has added, stay.

    Raises:
        StorageError: the destination cannot be written.
    """
    system, place = fsspec.url_to_fs(destination)
    with files.writing(destination):
        for path in sorted(built.glob("*/*.parquet")):
            folder = f"{place}/{path.parent.name}"
            temporary = f"{folder}/.{path.name}.{os.getpid()}.tmp"
            system.makedirs(folder, exist_ok=True)
            system.put_file(str(path), temporary)
            system.mv(temporary, f"{folder}/{path.name}")


def _bring_online(store: FeatureStore, view: FeatureView, end: dt.datetime) -> WriteResult:
    """Writes what is new since the last time; for a new or changed view, everything.

    A changed view may have a feature that entities without new rows would lack online. What tells
    it is that there is no baseline of its definition, which is therefore recorded last.
    """
    from headrace.feature_store import online
    from headrace.feature_store.quality import baseline
    from headrace.feature_store.quality.pulls import BEGINNING

    known = baseline.read_baseline(store, view) is not None
    start = view.most_recent_end_time if known else None
    written = online.materialize(store, [view.name], min(start or BEGINNING, end), end)
    if not known:
        with contextlib.suppress(DataError):  # the view has no rows yet
            baseline.record_baseline(store, [view.name], until=end)
    return written[view.name]


def summary(rows: Mapping[str, WriteResult], until: str) -> str:
    """What was written, as Markdown."""
    cells = [(name, f"{row.written:,}", f"{row.skipped_older:,}") for name, row in rows.items()]
    table = markdown_table(("view", "written", "online is newer"), cells, numbers=(1, 2))
    return f"# Features brought online until {until or 'now'}\n\n{table}"
