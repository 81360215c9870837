"""Interface of ``ingest``."""

from kfp import dsl

from headrace.components.shared.interface import CORE_IMAGE, component


@component(CORE_IMAGE)
def ingest(
    sources: dict,
    data_version: str,
    tables: dsl.Output[dsl.Dataset],
    provenance: dsl.Output[dsl.Artifact],
    metrics: dsl.Output[dsl.Metrics],
    summary: dsl.Output[dsl.Markdown],
):
    """Reads sources into clean Parquet tables, and records where every row came from.

    Formats: CSV (also inside a ZIP), Parquet, JSON Lines, SQL through SQLAlchemy, Delta Lake; a
    path may be a glob or a folder. Cleaning rules rename, strip, type, parse times, filter,
    require, and remove or refuse duplicates.

    Args:
        sources: Source name to its definition, as under `sources` in project.yaml.
        data_version: Any text that changes when the sources change; part of the cache key.
        tables: Folder with one `<source>.parquet` per source.
        provenance: JSON with each source's origins, SHA-256, rows and column types.
        metrics: Rows per source.
        summary: The provenance for people.
    """
    from pathlib import Path

    from headrace.components.data.ingest import ingest as work

    record = work.run(
        sources=sources,
        data_version=data_version,
        tables=Path(tables.path),
        provenance=Path(provenance.path),
    )
    for name, entry in record["sources"].items():
        metrics.log_metric(f"rows_{name}", entry["rows"])
    Path(summary.path).write_text(work.summary(record))
