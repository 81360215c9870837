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
    ranked = _ranked(history.select(*keys, EVENT, *created).with_row_index(_AT), [EVENT, *created])
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


def _ranked(history: pl.DataFrame, order: list[str]) -> pl.DataFrame:
    """Rows from the worst to the best; sources are often in order of time already."""
    if len(order) > 1 or not history[EVENT].is_sorted():
        history = history.sort(order, maintain_order=True, nulls_last=False)
    return history.with_row_index(_RANK)


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
