"""Features that know the answer, or come too late."""

import datetime as dt

import numpy as np
import polars as pl
import pytest

from headrace.components.shared.errors import ConfigError
from headrace.components.validation.leakage_check import leakage

ROWS = 2000
DAY = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)


@pytest.fixture
def table():
    rng = np.random.default_rng(3)
    fair = rng.normal(size=ROWS)
    y = (fair + rng.normal(scale=2, size=ROWS) > 0).astype(int)
    return pl.DataFrame({"y": y, "fair": fair, "noise": rng.normal(size=ROWS)})


@pytest.fixture
def check(tmp_path):
    def run(table, task="binary_classification", rules=None, **features):
        table.write_parquet(tmp_path / "table.parquet")
        leaks, scores = leakage.run(
            table=tmp_path / "table.parquet",
            label={"column": "y", "task": task},
            features=features,
            rules=rules or {},
            page=tmp_path / "page.html",
        )
        page = (tmp_path / "page.html").read_text()
        assert all(leak.feature in page for leak in leaks)
        return {leak.feature: leak.evidence for leak in leaks}, {s.feature: s.value for s in scores}

    return run


def test_fair_features_pass_and_are_ranked(check, table):
    leaks, scores = check(table)
    assert leaks == {}
    assert list(scores) == ["fair", "noise"]
    assert 0.6 < scores["fair"] < 0.75
    assert scores["noise"] < 0.55


def test_a_number_that_knows_the_answer_is_caught_with_evidence(check, table):
    noisy = pl.Series(np.random.default_rng(1).normal(scale=0.2, size=ROWS))
    leaks, scores = check(table.with_columns(paid=pl.col("y") * 10 + noisy))
    assert set(leaks) == {"paid"}
    assert scores["paid"] > 0.99
    assert "alone it reaches" in leaks["paid"] and "limit 0.85" in leaks["paid"]
    assert "mean label 1 where it is" in leaks["paid"]


def test_a_text_that_knows_the_answer_is_caught_with_its_values(check, table):
    way = pl.when(pl.col("y") == 1).then(pl.lit("card")).otherwise(pl.lit("cash"))
    leaks, _ = check(table.with_columns(way=way))
    assert "mean label 1 where it is card" in leaks["way"]
    assert "0 where it is cash" in leaks["way"]


def test_a_feature_whose_absence_knows_the_answer_is_caught(check, table):
    gone = pl.when(pl.col("y") == 1).then(pl.col("noise"))
    leaks, _ = check(table.with_columns(gone=gone))
    assert "where it is missing" in leaks["gone"]


def test_a_text_with_a_value_per_row_is_no_leak(check, table):
    leaks, scores = check(table.with_columns(id=pl.Series([f"id{i}" for i in range(ROWS)])))
    assert leaks == {}
    assert scores["id"] < 0.6


def test_a_time_and_a_truth_value_are_scored_too(check, table):
    hours = pl.col("y") * 5 + pl.col("y").cum_sum() % 3
    columns = {"flag": pl.col("y") == 1, "at": DAY + pl.duration(hours=hours)}
    leaks, _ = check(table.with_columns(**columns))
    assert set(leaks) == {"flag", "at"}


def test_an_allowed_or_excluded_feature_is_no_leak(check, table):
    table = table.with_columns(copy=pl.col("y"))
    assert check(table, rules={"allow": ["copy"]})[0] == {}
    leaks, scores = check(table, exclude=["copy"])
    assert (leaks, "copy" in scores) == ({}, False)


def test_the_limit_is_the_projects(check, table):
    assert set(check(table, rules={"max_score": 0.6})[0]) == {"fair"}


def test_a_feature_declared_known_afterwards_is_a_leak_however_weak(check, table):
    leaks, _ = check(table, known_after=["noise", "not_in_the_table"])
    assert set(leaks) == {"noise"}
    assert "features.known_after" in leaks["noise"]


def test_a_value_known_after_the_prediction_is_a_leak_with_a_row_as_proof(check, table):
    late = pl.when(pl.col("noise") > 2).then(3).otherwise(-3)
    table = table.with_columns(
        asked=pl.lit(DAY), measured=DAY + pl.duration(hours=late), early=pl.lit(DAY)
    )
    hidden = ["asked", "measured", "early"]
    rule = {"prediction_time": "asked", "exclude": hidden}
    leaks, _ = check(table, known_at={"noise": "measured", "fair": "early"}, **rule)
    assert set(leaks) == {"noise"}
    count = table.filter(pl.col("noise") > 2).height
    assert f"in {count:,} of {ROWS:,} rows it was known only after" in leaks["noise"]
    assert "measured 2020-01-01 03:00:00+00:00 against 2020-01-01 00:00:00+00:00" in leaks["noise"]


def test_a_missing_value_is_never_late(check, table):
    table = table.with_columns(
        asked=pl.lit(DAY),
        measured=DAY + pl.duration(hours=3),
        gone=pl.when(pl.col("noise") > 99).then(1.0),
    )
    rule = {"prediction_time": "asked", "exclude": ["asked", "measured"]}
    assert check(table, known_at={"gone": "measured"}, **rule)[0] == {}


def test_regression_scores_by_the_share_of_variance(check, table):
    table = table.with_columns(y=pl.col("fair") * 3 + 1)
    leaks, scores = check(table, task="regression")
    assert set(leaks) == {"fair"}
    assert scores["fair"] > 0.9 and scores["noise"] < 0.1


def test_a_misspelt_allowance_is_refused(check, table):
    with pytest.raises(ConfigError) as caught:
        check(table, rules={"allow": ["nois"]})
    assert "leakage.allow names 'nois'" in caught.value.message
    assert "'noise'" in caught.value.fix


def test_the_verdict_is_one_line(check, table, tmp_path):
    leak = leakage.Leak("paid", "knows it")
    assert leakage.verdict([leak], []) == "paid: knows it"
    assert leakage.verdict([], []) == "no features"
