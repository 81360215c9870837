from datetime import timedelta

import pytest

from headrace.feature_store.rolling.definition import RollingView, Statistic, last, windows


def test_windows_are_named_after_column_and_length():
    names = [s.name for s in windows("tail", "arrived", ["late", "gain"], [3, 24, 672])]

    assert names == [
        "tail_late_3h",
        "tail_late_24h",
        "tail_late_28d",
        "tail_gain_3h",
        "tail_gain_24h",
        "tail_gain_28d",
    ]


def test_a_mean_without_a_column_is_refused():
    with pytest.raises(ValueError, match="'x': mean needs a column"):
        Statistic("x", "mean", "sale", window=timedelta(hours=1))


def test_a_count_without_a_window_is_refused():
    with pytest.raises(ValueError, match="'x': count needs kind and window"):
        Statistic("x", "count", "sale")


def test_a_view_has_rows_after_what_it_counts_and_what_it_names():
    view = RollingView(
        "v", ("shop",), (*windows("a", "sale", ["amount"], [1, 9]), *last({"b": "c"})), ("opened",)
    )

    assert view.triggers == ["opened", "sale"]
    assert view.horizon == timedelta(hours=9)
    assert view.features == ["a_amount_1h", "a_amount_9h", "b"]


def test_a_view_without_windows_looks_back_at_nothing():
    assert RollingView("v", ("shop",), tuple(last({"b": "c"})), ("sale",)).horizon == timedelta(0)
