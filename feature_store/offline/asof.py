"""The point-in-time join on polars frames: which row of a history was the latest at a time."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import polars as pl

from headrace.feature_store.offline.numbering import NUMBER, numbered

#: Columns that the join adds; two underscores keep them apart from a user's.
TIME, EVENT, CREATED = "__time", "__event", "__created"
_RANK, _SEEN = "__rank", "__seen"


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
        labels: TIME and the keys, in order of TIME.
        history: EVENT, the keys and perhaps CREATED. Of rows with the same key and EVENT, the one
            created last counts, then the one further down.
        keys: Columns that must be equal; null equals nothing, and no row of the history has it.
        ttl: How old a row may be; None for any age.
        known: Whether a row must also have been created by then.
    """
    created = [CREATED] if CREATED in history.columns else []
    theirs, ours = numbered(labels, history, keys)
    plain = history.select(ours, EVENT, *created).rechunk()
    order = _order(plain, [EVENT, *created])
    ranked = (plain if order is None else plain[order]).with_row_index(_RANK)
    asked = labels.select(TIME, theirs)
    late = known and bool(created)
    timeline = _as_it_became_known(ranked) if late else ranked.rename({EVENT: _SEEN})
    rank = asked.join_asof(
        timeline.select(NUMBER, _SEEN, _RANK),
        left_on=TIME,
        right_on=_SEEN,
        by=NUMBER,
        strategy="backward",
        tolerance=None if late else ttl,
        check_sortedness=False,
    )[_RANK]
    if late and ttl is not None:
        rank = rank.set(ranked[EVENT].gather(rank) < asked[TIME] - ttl, None)
    return rank if order is None else order.gather(rank)


def _order(history: pl.DataFrame, by: list[str]) -> pl.Series | None:
    """Positions such that, of the same key, a better row is further down; None if it stands so."""
    if len(by) == 1 and (history[EVENT].is_sorted() or _stands_by_key(history)):
        return None
    return history.select(pl.arg_sort_by(by, maintain_order=True, nulls_last=False)).to_series()


def _stands_by_key(history: pl.DataFrame) -> bool:
    """Whether the rows of each key stand together and in order of time.

    Sources that were computed key by key do, and sorting them would take longer than joining them.
    """
    key, event = pl.col(NUMBER), pl.col(EVENT)
    goes_on = (key == key.shift()) & (event >= event.shift())
    return bool(history.select(((key > key.shift()) | goes_on).all()).item())


def _as_it_became_known(ranked: pl.DataFrame) -> pl.DataFrame:
    """The best row among those known, at each moment when one became known.

    A row is known from its event or its creation on, whichever is later. Rows that come to be known
    late are worse than what is known already when they tell of something earlier.
    """
    return (
        ranked.filter(pl.col(CREATED).is_not_null())
        .with_columns(pl.max_horizontal(EVENT, CREATED).alias(_SEEN))
        .sort(_SEEN, maintain_order=True)
        .with_columns(pl.col(_RANK).cum_max().over(NUMBER))
    )
