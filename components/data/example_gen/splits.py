"""Which row goes to which split: by time, by hash, or by a column that says so."""

from __future__ import annotations

import numpy as np
import pandas as pd
import polars as pl

from headrace.components.shared.config.data import SPLITS, Split
from headrace.components.shared.errors import ConfigError, DataError
from headrace.components.shared.text import nearest

_NO_NUMBER = int(np.iinfo(np.int64).min)


def assign(table: pl.DataFrame, rule: Split) -> dict[str, pl.DataFrame]:
    """Rows of ``table`` per split, in their order; rows after the last moment are left out.

    Raises:
        ConfigError: the split column does not exist or has the wrong type.
        DataError: a split would be empty.
    """
    if rule.column is not None and rule.column not in table.columns:
        raise ConfigError(
            f"split.column names {rule.column!r}, which the labelled table does not have.",
            fix=nearest(rule.column, table.columns),
        )
    numbers = {"time": _by_time, "hash": _by_hash, "column": _by_column}[rule.by](table, rule)
    parts = {name: table.filter(pl.Series(numbers == i)) for i, name in enumerate(SPLITS)}
    for name, part in parts.items():
        if part.is_empty():
            raise DataError(
                f"Split {name!r} would have no rows (split by {rule.by}).",
                fix="Move the limits under `split` in project.yaml, or provide more data.",
            )
    return parts


def _by_time(table: pl.DataFrame, rule: Split) -> np.ndarray:
    times = table[rule.column or ""]
    if not isinstance(times.dtype, pl.Datetime):
        raise ConfigError(
            f"split.column {times.name!r} is {times.dtype}; splitting by time needs a timestamp.",
            fix="Parse it with a rule under sources.<name>.clean.timestamps.",
        )
    if times.null_count():
        raise DataError(
            f"split.column {times.name!r} is missing in {times.null_count():,} rows.",
            fix="Require it under sources.<name>.clean.required.",
        )
    limits = [pd.Timestamp(rule.until[name]) for name in SPLITS]
    utc = [m.tz_localize("UTC") if m.tz is None else m.tz_convert("UTC") for m in limits]
    micros = times.dt.epoch("us").to_numpy()
    return np.searchsorted([m.value // 1000 for m in utc], micros, side="right")


def _by_hash(table: pl.DataFrame, rule: Split) -> np.ndarray:
    key = table.select(rule.column) if rule.column else table
    # A missing value must not turn whole numbers into floats: all rows would move.
    whole = (pl.selectors.integer() | pl.selectors.boolean()).cast(pl.Int64).fill_null(_NO_NUMBER)
    rows = key.with_columns(whole).to_pandas()
    hashes = pd.util.hash_pandas_object(rows, index=False).to_numpy()
    shares = np.cumsum([rule.buckets[name] for name in SPLITS])
    return np.searchsorted(shares, hashes % np.uint64(shares[-1]), side="right")


def _by_column(table: pl.DataFrame, rule: Split) -> np.ndarray:
    names = table[rule.column or ""].cast(pl.String)
    unknown = sorted(set(names.unique().drop_nulls()) - set(SPLITS))
    if unknown or names.null_count():
        raise DataError(
            f"split.column {names.name!r} must say train, eval or test; it also says "
            f"{', '.join(unknown) or 'nothing in some rows'}.",
            fix="Correct the column in the source or in features.py.",
        )
    order = {name: i for i, name in enumerate(SPLITS)}
    return names.replace_strict(order, return_dtype=pl.Int64).to_numpy()
