"""Numbers instead of join keys: joining by one takes a third of the time of several keys."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import polars as pl

#: The column with the number.
NUMBER = "__number"


def numbered(
    labels: pl.DataFrame, history: pl.DataFrame, keys: Sequence[str]
) -> tuple[pl.Series, pl.Series]:
    """A number for the keys of each label, null when the history lacks them, and of each row.

    Numbers go up in the order in which keys first appear in the history. Keys that stand together
    are looked up once.

    Args:
        labels: The keys, perhaps null.
        history: The keys, never null.
        keys: Their columns; without any, all rows have the same number.
    """
    if not keys:
        zero = pl.zeros(pl.len(), dtype=pl.UInt32, eager=False).alias(NUMBER)
        return labels.select(zero).to_series(), history.select(zero).to_series()
    changes = (pl.col(name).ne_missing(pl.col(name).shift()) for name in keys)
    begins = history.select(pl.any_horizontal(changes)).to_series()
    runs = history.select(keys).filter(begins)
    numbers = runs.unique(maintain_order=True).with_row_index(NUMBER, offset=1)
    run = begins.cum_sum().alias(NUMBER)
    if numbers.height < runs.height:
        run = _looked_up(runs, numbers, keys).gather(run - 1)
    return _looked_up(labels, numbers, keys), run


def _looked_up(rows: pl.DataFrame, numbers: pl.DataFrame, keys: Sequence[str]) -> pl.Series:
    """The number of each row's keys, or null."""
    kinds = [kind for kind in numbers.select(keys).dtypes if isinstance(kind, pl.Enum)]
    sizes = [len(kind.categories) for kind in kinds]
    if len(kinds) < len(keys) or prod(sizes) > rows.height:
        found = rows.join(numbers, on=list(keys), how="left", maintain_order="left")
        return found[NUMBER]
    # All combinations of keys have a place in a table that is no longer than the rows.
    steps = [prod(sizes[number + 1 :]) for number in range(len(keys))]
    place = pl.sum_horizontal(
        *(
            pl.col(name).to_physical().cast(pl.UInt32) * step
            for name, step in zip(keys, steps, strict=True)
        ),
        ignore_nulls=False,
    )
    table = pl.repeat(None, prod(sizes), dtype=pl.UInt32, eager=True)
    table = table.scatter(numbers.select(place).to_series(), numbers[NUMBER])
    return table.gather(rows.select(place).to_series()).alias(NUMBER)
