"""TFDV statistics as the plain values that the report shows."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

_TOP_VALUES = 8


def feature_views(statistics: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One entry per feature: name, type, and per split what the report's row shows.

    Args:
        statistics: Split name to ``DatasetFeatureStatisticsList``.
    """
    found = [
        (feature.path.step[0], split, feature)
        for split, data in statistics.items()
        for feature in data.datasets[0].features
    ]
    # TFDV calls a feature a text in a split where it has no value at all.
    numbers = {name for name, _, feature in found if feature.HasField("num_stats")}
    by_name: dict[str, dict[str, Any]] = {}
    for name, split, feature in found:
        entry = by_name.setdefault(name, {"name": name, "splits": {}})
        entry["kind"] = "number" if name in numbers else "text"
        if name not in numbers:
            entry["splits"][split] = _text(feature)
        elif feature.HasField("num_stats"):
            entry["splits"][split] = _number(feature.num_stats)
        else:
            empty = dict.fromkeys(("mean", "std", "min", "median", "max", "zeros"), math.nan)
            common = _common(feature.string_stats.common_stats)
            entry["splits"][split] = {**common, **empty, "bars": []}
    return [by_name[name] for name in sorted(by_name)]


def _number(stats: Any) -> dict[str, Any]:
    return {
        **_common(stats.common_stats),
        "mean": stats.mean,
        "std": stats.std_dev,
        "min": stats.min,
        "median": stats.median,
        "max": stats.max,
        "zeros": stats.num_zeros,
        "bars": _histogram(stats),
    }


def _text(feature: Any) -> dict[str, Any]:
    stats = feature.string_stats
    top = sorted(stats.top_values, key=lambda value: -value.frequency)[:_TOP_VALUES]
    return {
        **_common(stats.common_stats),
        "unique": stats.unique,
        "bars": [{"label": value.value, "height": value.frequency} for value in top],
    }


def _common(stats: Any) -> dict[str, Any]:
    rows = stats.num_non_missing + stats.num_missing
    return {"rows": rows, "missing": stats.num_missing / rows if rows else 0.0}


def _histogram(stats: Any) -> list[dict[str, Any]]:
    for histogram in stats.histograms:
        if histogram.type == histogram.STANDARD:
            return [
                {
                    "label": f"{bucket.low_value:.4g} to {bucket.high_value:.4g}",
                    "height": bucket.sample_count,
                }
                for bucket in histogram.buckets
            ]
    return []
