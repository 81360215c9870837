"""Statistics, and distances between them, against plain counting and TFX's own measures."""

import datetime as dt
import math

import numpy as np
import polars as pl
import pytest

from headrace.feature_store.quality.drift import drift, measure
from headrace.feature_store.quality.statistics import FeatureStatistics, describe

CHANCE = np.random.default_rng(7)


def normal(mean=0.0, count=5000):
    return pl.Series(CHANCE.normal(mean, 1, count))


def test_numbers_are_described():
    column = pl.Series([1.0, 2.0, 2.0, math.nan, None, 5.0, math.inf, -7.0])
    found = describe(column)
    assert (found.kind, found.rows, found.null_rate, found.distinct) == ("number", 8, 0.25, 5)
    assert (found.mean, found.quantiles[0.0], found.quantiles[1.0]) == (0.6, -7.0, 5.0)
    assert found.std == pytest.approx(np.std([1, 2, 2, 5, -7]))
    assert sum(found.counts) == 6
    assert found.counts[0] == 0 and found.counts[-1] == 1  # Infinity is beyond all
    assert FeatureStatistics.model_validate_json(found.model_dump_json()) == found


def test_bins_hold_equal_shares():
    found = describe(normal())
    assert len(found.edges) == len(found.counts) - 1 == 22
    assert max(found.counts[1:-2]) <= 251 and min(found.counts[1:-2]) >= 249


def test_categories_times_and_others_are_described():
    texts = describe(pl.Series(["a", "b", "a", None]))
    assert (texts.kind, texts.values, texts.counts) == ("category", ["a", "b"], [2, 1, 0])
    assert describe(pl.Series([True, False, True])).values == ["true", "false"]
    moment = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    assert describe(pl.Series([moment, None])).mean == moment.timestamp() * 1e6
    lists = describe(pl.Series([[1.0], None]))
    assert (lists.kind, lists.null_rate, lists.counts) == ("other", 0.5, [])


def test_rare_categories_are_counted_together():
    found = describe(pl.Series([f"v{n}" for n in range(300)] + ["often"] * 5))
    assert (found.values[0], len(found.values), found.counts[-1]) == ("often", 100, 201)


def test_nothing_is_described_too():
    empty = describe(pl.Series([], dtype=pl.Float64))
    assert (empty.rows, empty.null_rate, empty.mean, empty.counts) == (0, 0.0, None, [0])
    assert describe(pl.Series([None, None], dtype=pl.String)).null_rate == 1.0


@pytest.mark.parametrize(
    ("later", "low", "high"),
    [
        (normal(), 0.0, 0.01),
        (normal(0.2, 300), 0.0, 0.1),
        (normal(1.0), 0.1, 0.5),
        (normal(50.0), 0.99, 1.0),
    ],
)
def test_numbers_drift_as_far_as_they_moved(later, low, high):
    before = describe(normal())
    found = drift(before, describe(later, before))
    assert low <= found <= high


def test_a_constant_that_changes_is_full_drift():
    before = describe(pl.Series([3] * 500))
    assert drift(before, describe(pl.Series([3] * 500), before)) == 0.0
    for other in (4, 2, 1000):
        assert drift(before, describe(pl.Series([other] * 500), before)) == 1.0


def test_categories_drift_by_the_share_that_changed_most():
    before = describe(pl.Series(["a"] * 500 + ["b"] * 500))
    later = describe(pl.Series(["a"] * 500 + ["b"] * 250 + ["new"] * 250), before)
    assert later.values == ["a", "b"]
    assert drift(before, later) == 0.25
    assert measure("category") == "L-infinity distance"


def test_nulls_few_values_and_other_kinds_are_no_drift():
    before = describe(normal())
    nulls = normal().extend(pl.Series([None] * 9000, dtype=pl.Float64))
    assert drift(before, describe(nulls, before)) < 0.02
    assert drift(before, describe(normal(9.0, 199), before)) is None
    assert drift(before, describe(pl.Series(["a"] * 500), before)) is None
    lists = describe(pl.Series([[1.0]] * 500))
    assert drift(lists, lists) is None
