"""The work of ``ingest``: a Parquet table per source, with a record of where it came from."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from headrace.components.data.ingest import readers
from headrace.components.data.ingest.cleaning import clean
from headrace.components.shared import files
from headrace.components.shared.text import markdown_table


def run(
    *, sources: Mapping[str, Mapping[str, Any]], data_version: str, tables: Path, provenance: Path
) -> dict[str, Any]:
    """Reads, cleans and writes each source.

    Args:
        sources: Source name to the keys of :class:`Source`.
        data_version: The caller's name for this state of the sources; goes into the record.
        tables: Folder to write ``<source>.parquet`` into.
        provenance: JSON file to write the record to.

    Returns:
        The record: per source its origins with SHA-256 and size, rows, columns and their types.

    Raises:
        ConfigError: a rule names a column that is not there.
        SourceError: a source cannot be read.
        DataError: a value breaks a cleaning rule.
    """
    record: dict[str, Any] = {
        "data_version": data_version,
        "ingested_at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "sources": {},
    }
    with files.writing(tables):
        tables.mkdir(parents=True, exist_ok=True)
    for name, source in readers.expand(sources).items():
        raw, contents = readers.read(name, source)
        table = clean(raw, source.clean, name=name)
        parquet = tables / f"{name}.parquet"
        with files.writing(tables):
            table.write_parquet(parquet, compression="zstd")
        record["sources"][name] = {
            "format": source.format,
            "origins": [_origin(content) for content in contents] or [_remote(source)],
            "rows_read": raw.height,
            "rows": table.height,
            "columns": {column: str(kind) for column, kind in table.schema.items()},
            "table_sha256": _sha256(parquet),
        }
        print(f"{name}: {table.height:,} rows, {table.width} columns", flush=True)
    files.write_json(provenance, record)
    return record


def summary(record: Mapping[str, Any]) -> str:
    """The record as Markdown."""
    rows = [
        (
            name,
            f"{entry['rows_read']:,}",
            f"{entry['rows']:,}",
            len(entry["columns"]),
            f"`{entry['table_sha256'][:16]}`",
        )
        for name, entry in record["sources"].items()
    ]
    head = ("source", "rows read", "rows kept", "columns", "SHA-256")
    table = markdown_table(head, rows, numbers=(1, 2, 3))
    return f"# Ingested sources\n\nData version: `{record['data_version']}`\n\n{table}"


def _origin(content: readers.Content) -> dict[str, Any]:
    return {
        "path": content.origin,
        "bytes": len(content.data),
        "sha256": hashlib.sha256(content.data).hexdigest(),
    }


def _remote(source: Any) -> dict[str, Any]:
    return {"path": source.path or "sql query", "query": source.query}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
