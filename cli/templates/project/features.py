"""Sources to one labelled table. Delete this file if a single source is the table already."""

from __future__ import annotations

import polars as pl


def build_features(tables: dict[str, pl.DataFrame]) -> pl.DataFrame:
    """Adds what the time of the order tells.

    Args:
        tables: One cleaned table per source in project.yaml.

    Returns:
        One row per delivery, with the label and every feature.
    """
    ordered = pl.col("ordered_at")
    return tables["deliveries"].with_columns(
        order_hour=ordered.dt.hour().cast(pl.Int64), weekday=ordered.dt.to_string("%A")
    )
