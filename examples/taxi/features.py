"""Trips to labelled rows: the label, and nothing that is only known after the ride is paid."""

from __future__ import annotations

import polars as pl

_LARGE_COMPANY = 300


def build_features(tables: dict[str, pl.DataFrame]) -> pl.DataFrame:
    """Labels each trip and groups small companies.

    Args:
        tables: The source ``trips``.

    Returns:
        One row per trip with a fare.
    """
    trips = tables["trips"].with_columns(
        big_tipper=(pl.col("tips") > 0.2 * pl.col("fare")).cast(pl.Int64),
        company_group=pl.when(pl.len().over("company") >= _LARGE_COMPANY)
        .then(pl.col("company"))
        .otherwise(pl.lit("other")),
    )
    return trips.drop("tips", "company", "pickup_census_tract", "dropoff_census_tract")
