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
from headrace.components.shared.errors import ConfigError, DataError

if TYPE_CHECKING:
    from feast import FeatureStore

    from headrace.feature_store.online import WriteResult

_BEGINNING = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


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
    from headrace.feature_store import online, repo

    end = _moment(until)
    publish(built, f"{root.rstrip('/')}/data")
    with repo.registered(repo_code, root) as store:
        _remember_normal(store, end)
        return {
            view.name: online.materialize(
                store, [view.name], min(view.most_recent_end_time or _BEGINNING, end), end
            )[view.name]
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


def _remember_normal(store: FeatureStore, until: dt.datetime) -> None:
    """Records the statistics of views that are new or changed, to tell drift by later."""
    from headrace.feature_store.quality import baseline

    new = [v.name for v in store.list_feature_views() if not baseline.read_baseline(store, v)]
    for name in new:
        with contextlib.suppress(DataError):  # a view without rows yet
            baseline.record_baseline(store, [name], until=until)


def summary(rows: Mapping[str, WriteResult], until: str) -> str:
    """What was written, as Markdown."""
    lines = [f"# Features brought online until {until or 'now'}", ""]
    lines += ["| view | written | online is newer |", "| --- | ---: | ---: |"]
    lines += [f"| {name} | {row.written:,} | {row.skipped_older:,} |" for name, row in rows.items()]
    return "\n".join(lines) + "\n"


def _moment(text: str) -> dt.datetime:
    if not text:
        return dt.datetime.now(dt.UTC)
    try:
        moment = dt.datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(
            f"until is {text!r}, which is no moment.", fix="Write it as 2013-12-31T12:00:00Z."
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
