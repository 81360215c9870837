"""Merging the many small files that a stream adds to a folder of feature rows.

A merged file names its sources in its metadata. It appears first and they go later, so at no moment
a row is missing, neither for a reader that already listed the folder nor after a crash. Until they
go, rows are there twice with the same creation time, which a point-in-time join sees as one.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from headrace.components.shared.files import writing

#: Names of the files that Headrace's offline store adds.
_ADDED = "pushed-*.parquet"
_MERGED = "pushed-{time}-merged.parquet"
_SOURCES = b"headrace.merged_from"
_MOST_ROWS = 2_000_000


def compact(folder: Path, *, many: int = 64, grace_seconds: float = 300.0) -> int:
    """Merges files if there are many, and removes those that were merged a while ago.

    Only one process may do this at a time; others may read and add files meanwhile.

    Args:
        folder: The folder.
        many: From how many files on to merge.
        grace_seconds: How long to leave merged files for readers.

    Returns:
        How many files were merged.
    """
    with writing(folder):
        for left in folder.glob(".pushed-*.tmp"):
            left.unlink()
        replaced = _remove_replaced(folder, grace_seconds)
        rows = {
            path: pq.read_metadata(path).num_rows
            for path in sorted(folder.glob(_ADDED))
            if path.name not in replaced
        }
        small: list[Path] = []
        for path in (path for path, count in rows.items() if count < _MOST_ROWS // 4):
            if sum(rows[other] for other in small) + rows[path] <= _MOST_ROWS:
                small.append(path)
        if len(small) < many:
            return 0
        _merge(folder, small)
        return len(small)


def _remove_replaced(folder: Path, grace_seconds: float) -> set[str]:
    """Returns the names of files that others replace and that are still to be there."""
    kept: set[str] = set()
    # Oldest first: a merged file may itself be a source of a later one.
    for path in sorted(folder.glob(_MERGED.format(time="*"))):
        metadata = pq.read_schema(path).metadata or {}
        sources = set(json.loads(metadata.get(_SOURCES, b"[]")))
        if time.time() - path.stat().st_mtime < grace_seconds:
            kept |= sources
            continue
        for name in sources:
            (folder / name).unlink(missing_ok=True)
    return kept


def _merge(folder: Path, sources: Sequence[Path]) -> None:
    table = pa.concat_tables([pq.read_table(path) for path in sources], promote_options="default")
    names = json.dumps([path.name for path in sources]).encode()
    table = table.replace_schema_metadata({**(table.schema.metadata or {}), _SOURCES: names})
    target = folder / _MERGED.format(time=time.time_ns())
    temporary = folder / f".{target.name}.tmp"
    with temporary.open("wb") as stream:
        pq.write_table(table, stream)
        stream.flush()
        os.fsync(stream.fileno())
    temporary.replace(target)
