"""The work of ``feature_check``: the skew guard on the files of a Feast repository."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

if TYPE_CHECKING:
    from headrace.feature_store.quality.comparison import Comparison


def run(
    *,
    repo_code: Mapping[str, str],
    root: str,
    service: str,
    as_of: str,
    samples: int,
    tolerance: float,
    patience: float,
    log: str,
    page: Path,
) -> Comparison:
    """Compares the repository's tables with its online store, or with a log of served features.

    Args:
        repo_code: The Feast repository's files by name.
        root: What paths in the repository are relative to.
        service: The feature service.
        as_of: The moment until which the online store was filled (ISO 8601); empty for now.
        samples: How many rows to draw.
        tolerance: How much floating-point numbers may differ, as a share of the larger one.
        patience: Seconds that sources may lag behind what a stream put online.
        log: Parquet file, folder or URI of served features; empty to ask the online store.
        page: HTML report to write.

    Raises:
        ConfigError: the repository, the service or ``as_of`` is not usable.
        DataError: the log lacks a column.
        OnlineStoreError: the online store does not answer.
    """
    import polars as pl

    from headrace.feature_store import repo
    from headrace.feature_store.clock import moment
    from headrace.feature_store.quality import skew

    with tempfile.TemporaryDirectory() as place:
        code = {**repo_code, repo.CONFIG_FILE: _with_own_registry(repo_code, place)}
        with repo.registered(code, root) as store:
            if log:
                served = pl.read_parquet(log).to_arrow()
                result = skew.compare_logs(store, service, served, tolerance=tolerance)
            else:
                now = moment(as_of)
                result = skew.compare(
                    store, service, samples, now, tolerance=tolerance, patience=patience
                )
    result.write_html(page)
    return result


def _with_own_registry(repo_code: Mapping[str, str], place: str) -> str:
    """The configuration with a registry for this check alone: one that looks changes nothing."""
    from headrace.feature_store.repo import CONFIG_FILE

    settings = yaml.safe_load(repo_code.get(CONFIG_FILE, "")) or {}
    registry = {"registry_type": "file", "path": f"{place}/registry.db"}
    return yaml.safe_dump({**settings, "registry": registry})
