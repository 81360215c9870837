"""What the values of a feature look like, in a form that a later window can be compared with."""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import polars as pl
from pydantic import BaseModel, ConfigDict

#: Bins of a histogram hold about the same share of the values each.
_BINS = 20
_QUANTILES = (0.0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1.0)
#: Categories that are kept by name; the others are one.
_CATEGORIES = 100

Kind = Literal["number", "category", "other"]


class FeatureStatistics(BaseModel):
    """Statistics of one feature.

    Attributes:
        kind: Numbers (and times) have bins, categories (and booleans) have values, others (lists,
            maps, bytes) have only nulls.
        rows: How many rows there are.
        null_rate: Share of rows without a value; NaN is none.
        distinct: How many different values; None for others.
        mean: Of finite values.
        std: Of finite values.
        quantiles: Share of the values to the value that they do not exceed.
        edges: Where a bin of the histogram ends and the next one starts, each inclusive below.
        values: The most frequent categories.
        counts: Rows in each bin, or of each of the values and then of all others.
    """

    model_config = ConfigDict(frozen=True)

    kind: Kind
    rows: int
    null_rate: float
    distinct: int | None = None
    mean: float | None = None
    std: float | None = None
    quantiles: dict[float, float] = {}
    edges: list[float] = []
    values: list[str] = []
    counts: list[int] = []


def describe(column: pl.Series, like: FeatureStatistics | None = None) -> FeatureStatistics:
    """Statistics of a column.

    Args:
        column: The values.
        like: Statistics whose bins and categories are counted; own ones when left out.
    """
    if column.dtype.is_float():
        column = column.fill_nan(None)
    present = column.drop_nulls()
    rows = len(column)
    null_rate = column.null_count() / rows if rows else 0.0
    kind = _kind(column.dtype)
    if kind == "other":
        return FeatureStatistics(kind=kind, rows=rows, null_rate=null_rate)
    same = like if like is not None and like.kind == kind else None
    distinct = present.n_unique()
    if kind == "category":
        values, counts = _categories(present, same)
        return FeatureStatistics(
            kind=kind,
            rows=rows,
            null_rate=null_rate,
            distinct=distinct,
            values=values,
            counts=counts,
        )
    numbers = _numbers(present)
    finite = numbers[np.isfinite(numbers)]
    edges = same.edges if same else _edges(finite)
    bins = np.bincount(np.searchsorted(edges, numbers, side="right"), minlength=len(edges) + 1)
    quantiles = np.quantile(finite, _QUANTILES, method="inverted_cdf") if len(finite) else []
    return FeatureStatistics(
        kind=kind,
        rows=rows,
        null_rate=null_rate,
        distinct=distinct,
        mean=float(finite.mean()) if len(finite) else None,
        std=float(finite.std()) if len(finite) else None,
        quantiles=dict(zip(_QUANTILES, map(float, quantiles), strict=False)),
        edges=list(edges),
        counts=bins.tolist(),
    )


def _kind(kind: pl.DataType) -> Kind:
    if kind.is_numeric() or kind.is_temporal():
        return "number"
    if kind in (pl.String, pl.Categorical, pl.Enum, pl.Boolean):
        return "category"
    return "other"


def _numbers(values: pl.Series) -> np.ndarray:
    if values.dtype.is_temporal():
        values = values.to_physical()
    return values.cast(pl.Float64).to_numpy()


def _edges(finite: np.ndarray) -> list[float]:
    """Quantiles as edges; what is outside of all that was seen has bins of its own."""
    if not len(finite):
        return []
    shares = np.linspace(0, 1, _BINS + 1)
    inner = np.unique(np.quantile(finite, shares, method="inverted_cdf"))
    return [*map(float, inner), math.nextafter(float(inner[-1]), math.inf)]


def _categories(present: pl.Series, like: FeatureStatistics | None) -> tuple[list[str], list[int]]:
    counts = (
        present.cast(pl.String)
        .rename("value")
        .value_counts()
        .sort("count", "value", descending=[True, False])
    )
    by_value = dict(counts.iter_rows())
    values = like.values if like else list(by_value)[:_CATEGORIES]
    known = [by_value.get(value, 0) for value in values]
    return values, [*known, len(present) - sum(known)]
