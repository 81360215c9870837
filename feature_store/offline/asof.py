"""The point-in-time join on polars frames: which row of a history was the latest at a time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import polars as pl

#: Columns that the join adds; two underscores keep them apart from a user's.
TIME, EVENT, CREATED = "__time", "__event", "__created"
_RANK, _SEEN, _AT = "__rank", "__seen", "__at"


def key(number: int) -> str:
    """The name of a join key inside the join, the same on both sides."""
    return f"__key_{number}"


def part(keys: Sequence[str], number: int, parts: int) -> pl.Expr:
    """Whether a row belongs to one of several parts of about the same size, by its keys."""
    return pl.struct(keys).hash(seed=0) % parts == number


def latest(
    labels: pl.DataFrame,
    history: pl.DataFrame,
    *,
    keys: Sequence[str],
    ttl: timedelta | None,
    known: bool,
) -> pl.Series:
    """For each label, the position in ``history`` of the row that was the latest then, or null.

    Args:
        labels: TIME and the keys, sorted by TIME.
        history: EVENT, the keys and perhaps CREATED. Of rows with the same key and EVENT, the one
            created last counts, then the one further down.
        keys: Columns that must be equal; null equals nothing.
        ttl: How old a row may be; None for any age.
        known: Whether a row must also have been created by then.
    """
    created = [CREATED] if CREATED in history.columns else []
    columns = history.select(*keys, EVENT, *created).with_row_index(_AT)
    ranked = _ranked(columns, keys, [EVENT, *created])
    if known and created:
        timeline = _as_it_became_known(ranked, keys)
    else:
        timeline = ranked.select(*keys, pl.col(EVENT).alias(_SEEN), _RANK)
    found = labels.join_asof(
        timeline,
        left_on=TIME,
        right_on=_SEEN,
        by=list(keys) or None,
        strategy="backward",
        check_sortedness=False,
    ).select(
        TIME,
        pl.lit(ranked[_AT]).gather(pl.col(_RANK)).alias(_AT),
        pl.lit(ranked[EVENT]).gather(pl.col(_RANK)).alias(EVENT),
    )
    if ttl is not None:
        fresh = pl.col(EVENT) >= pl.col(TIME) - ttl
        found = found.with_columns(pl.when(fresh).then(pl.col(_AT)).alias(_AT))
    return found[_AT]


def _ranked(history: pl.DataFrame, keys: Sequence[str], order: list[str]) -> pl.DataFrame:
    """Rows such that, of the same key, a better one is further down."""
    if len(order) > 1 or not (history[EVENT].is_sorted() or _stands_by_key(history, keys)):
        history = history.sort(order, maintain_order=True, nulls_last=False)
    return history.with_row_index(_RANK)


def _stands_by_key(history: pl.DataFrame, keys: Sequence[str]) -> bool:
    """Whether the rows of each key stand together and in order of time.

    Sources that were computed key by key do, and sorting them would take longer than joining them.
    """
    if not keys:
        return False
    begins = pl.any_horizontal(pl.col(name).ne_missing(pl.col(name).shift()) for name in keys)
    begins = begins | (pl.int_range(pl.len()) == 0)
    goes_on = pl.col(EVENT) >= pl.col(EVENT).shift()
    if not history.select((begins | goes_on).all()).item():
        return False
    return not history.filter(begins).select(pl.struct(keys).is_duplicated().any()).item()


def _as_it_became_known(ranked: pl.DataFrame, keys: Sequence[str]) -> pl.DataFrame:
    """The best row among those known, at each moment when one became known.

    A row is known from its event or its creation on, whichever is later. Rows that come to be known
    late are worse than what is known already when they tell of something earlier.
    """
    best = pl.col(_RANK).cum_max()
    return (
        ranked.filter(pl.col(CREATED).is_not_null())
        .with_columns(pl.max_horizontal(EVENT, CREATED).alias(_SEEN))
        .sort(_SEEN, maintain_order=True)
        .select(*keys, _SEEN, best.over(keys) if keys else best)
    )
