"""The work of ``statistics_gen``: TFDV's statistics of each split, and a report on them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa

from headrace.components.shared import examples, report
from headrace.components.shared.statistics import write_statistics
from headrace.components.validation.statistics_gen.view import feature_views


def run(*, source: Path, target: Path, page: Path) -> dict[str, Any]:
    """Computes statistics for every split.

    TFDV's in-memory generator gives what its Beam transform gives on one worker, without Beam's
    fixed cost, and counts missing values right.

    Args:
        source: Examples artifact.
        target: ExampleStatistics artifact to write.
        page: HTML report to write.

    Returns:
        Split name to its ``DatasetFeatureStatisticsList``.
    """
    result = {
        split: _compute(examples.read_lists(examples.shards(source, split)))
        for split in examples.SPLITS
    }
    for split, statistics in result.items():
        write_statistics(statistics, examples.split_folder(target, split))
    report.write(page, "statistics.html", title="Statistics", features=feature_views(result))
    return result


def _compute(table: pa.Table) -> Any:
    from tensorflow_data_validation.statistics import stats_impl, stats_options

    batches = table.combine_chunks().to_batches()
    return stats_impl.generate_statistics_in_memory(batches[0], stats_options.StatsOptions())
