"""Interface of ``feature_check``."""

from typing import NamedTuple

from kfp import dsl

from headrace.components.shared.interface import CORE_IMAGE, component


@component(CORE_IMAGE)
def feature_check(
    repo_code: dict,
    root: str,
    service: str,
    report: dsl.Output[dsl.HTML],
    summary: dsl.Output[dsl.Markdown],
    metrics: dsl.Output[dsl.Metrics],
    as_of: str = "",
    samples: int = 1000,
    tolerance: float = 0.0,
    patience: float = 0.0,
    log: str = "",
) -> NamedTuple("Outputs", [("blessed", bool), ("verdict", str)]):
    """Compares features as training gets them with features as serving gets them.

    For entities that are known, expired and unknown, the point-in-time join must give what the
    online store gives at the same moment, bit for bit. With a log of served features, each request
    is compared with the join as of its own moment instead. The registry and the online store are
    not changed.

    Args:
        repo_code: Files of the Feast repository by name. `${NAME}` in its configuration is filled
            in from the step's environment: keep passwords there.
        root: Folder or URI that paths in the repository are relative to; tables are in `data`
            there.
        service: The feature service.
        report: Every feature, and examples of what differs.
        summary: The same in short.
        metrics: Values compared, and how many of them differ.
        as_of: Moment until which the online store was filled (ISO 8601); empty for now.
        samples: How many rows to draw.
        tolerance: How much floating-point numbers may differ, as a share of the larger one.
        patience: Seconds that sources may lag behind what a stream put online.
        log: Parquet file, folder or URI of served features; empty to ask the online store.

    Returns:
        blessed: No value differs.
        verdict: One line for people.
    """
    from pathlib import Path

    from headrace.components.monitoring.feature_check import checking as work

    result = work.run(
        repo_code=repo_code,
        root=root,
        service=service,
        as_of=as_of,
        samples=samples,
        tolerance=tolerance,
        patience=patience,
        log=log,
        page=Path(report.path),
    )
    Path(summary.path).write_text(result.markdown())
    metrics.log_metric("compared", result.compared)
    metrics.log_metric("differences", result.differences)
    return (result.agrees, result.verdict())
