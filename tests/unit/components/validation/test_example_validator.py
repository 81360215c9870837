"""Anomalies: against the schema, between splits, and against the data of the model in service."""

import numpy as np
import polars as pl
import pytest

from headrace.components.shared import examples
from headrace.components.shared.errors import ConfigError
from headrace.components.validation.example_validator import validator
from headrace.components.validation.schema_gen import schema as schema_gen
from headrace.components.validation.statistics_gen import statistics as statistics_gen

ROWS = 400


def table(seed=0, kinds=("x", "x", "z"), shift=0.0, **columns):
    rng = np.random.default_rng(seed)
    base = {"n": rng.normal(size=ROWS) + shift, "kind": rng.choice(kinds, ROWS)}
    return pl.DataFrame({**base, **columns})


@pytest.fixture
def make(tmp_path):
    """The statistics artifact of a train table and an eval table."""

    def run(train, evaluation=None, name="now"):
        parts = {"train": train, "eval": train if evaluation is None else evaluation, "test": train}
        for split, part in parts.items():
            folder = examples.split_folder(tmp_path / name / "examples", split)
            examples.write(part.to_arrow(), folder)
        target = tmp_path / name / "statistics"
        statistics_gen.run(
            source=tmp_path / name / "examples", target=target, page=tmp_path / name / "page.html"
        )
        return target

    return run


@pytest.fixture
def validate(make, tmp_path):
    def run(train, evaluation=None, before=None, curated="", **rules):
        statistics = make(train, evaluation)
        schema_gen.run(statistics=statistics, curated=curated, target=tmp_path / "schema")
        baseline = tmp_path / "baseline"
        baseline.mkdir()
        if before is not None:
            (make(before, name="before") / "Split-train").rename(baseline / "statistics")
        found = validator.run(
            statistics=statistics,
            schema=tmp_path / "schema",
            baseline=baseline,
            rules=rules,
            target=tmp_path / "anomalies",
            page=tmp_path / "page.html",
        )
        page = (tmp_path / "page.html").read_text()
        assert all(item.feature in page for item in found)
        return found

    return run


def named(found):
    return {(item.split, item.feature) for item in found}


def test_data_like_their_schema_have_no_anomaly(validate):
    found = validate(table(), table(1), before=table(2))
    assert found == []
    assert validator.verdict(found) == "no anomalies"


def test_the_anomalies_are_written_as_tfx_writes_them(validate, tmp_path):
    from tensorflow_metadata.proto.v0 import anomalies_pb2

    validate(table(kinds=("x", "odd")), curated=CURATED)
    data = (tmp_path / "anomalies" / "Split-eval" / "SchemaDiff.pb").read_bytes()
    assert "kind" in anomalies_pb2.Anomalies.FromString(data).anomaly_info


CURATED = """
feature { name: "n" type: FLOAT presence { min_fraction: 1.0 min_count: 1 } }
feature { name: "kind" type: BYTES domain: "kind" }
string_domain { name: "kind" value: "x" value: "z" }
"""


def test_a_value_outside_the_curated_domain_is_found_in_its_split(validate):
    found = validate(table(), table(1, kinds=("x", "odd")), curated=CURATED)
    assert named(found) == {("eval", "kind")}
    assert "odd" in found[0].detail


def test_a_column_that_the_curated_schema_does_not_know_or_misses_is_found(validate):
    train = table(extra=[1] * ROWS).drop("n")
    problems = {item.feature: item.problem for item in validate(train, curated=CURATED)}
    assert set(problems) == {"extra", "n"}


def test_a_type_other_than_the_curated_one_is_found(validate):
    train = table().with_columns(n=pl.col("n").cast(pl.String))
    assert ("train", "n") in named(validate(train, curated=CURATED))


@pytest.mark.parametrize(
    ("before", "feature"),
    [(table(5, kinds=("x", "z", "z", "z")), "kind"), (table(5, shift=3.0), "n")],
)
def test_drift_from_the_last_push_is_found_beyond_its_limit(validate, before, feature):
    found = validate(table(), before=before, drift={feature: 0.1})
    assert named(found) == {("train", feature)}


def test_drift_within_the_limit_or_without_a_limit_is_none(validate):
    assert validate(table(), before=table(5, shift=3.0), drift={"kind": 0.2}) == []


def test_nothing_drifts_before_the_first_push(validate):
    assert validate(table(), drift={"kind": 0.0001, "n": 0.0001}) == []


@pytest.mark.parametrize(
    ("evaluation", "feature"), [(table(1, kinds=("z",)), "kind"), (table(1, shift=3.0), "n")]
)
def test_skew_between_train_and_eval_is_found(validate, evaluation, feature):
    assert ("train", feature) in named(validate(table(), evaluation, skew={feature: 0.1}))


def test_too_many_missing_values_are_found_in_their_split(validate):
    n = pl.when(pl.int_range(pl.len()) % 4 != 0).then("n").alias("n")
    found = validate(table(), table(1).with_columns(n), max_missing={"n": 0.2, "kind": 0.0})
    (item,) = found
    assert (item.split, item.feature) == ("eval", "n")
    assert item.detail == "25.0%, limit 20.0%"
    assert validator.verdict(found) == "1 anomalies, first: n (eval): Too many missing values"


def test_a_feature_that_is_missing_in_every_row_of_a_split_is_too_much(validate):
    gone = table(1).with_columns(n=pl.lit(None, dtype=pl.Float64))
    assert ("eval", "n") in named(validate(table(), gone, max_missing={"n": 0.5}))


def test_columns_that_went_or_changed_their_type_since_the_last_push_are_found(validate):
    before = table(old=[1] * ROWS).with_columns(kind=pl.lit(1))
    found = {item.feature: (item.problem, item.detail) for item in validate(table(), before=before)}
    assert found["old"] == ("Column is gone", "was INT, is absent")
    assert found["kind"] == ("Type changed", "was INT, is STRING")


def test_a_new_column_is_welcome(validate):
    assert validate(table(new=[1] * ROWS), before=table(2)) == []


@pytest.mark.parametrize("rule", ["drift", "skew", "max_missing"])
def test_a_rule_on_a_feature_that_is_not_there_gets_the_nearest_name(validate, rule):
    with pytest.raises(ConfigError) as caught:
        validate(table(), **{rule: {"kin": 0.1}})
    assert f"validation.{rule} names 'kin'" in caught.value.message
    assert "'kind'" in caught.value.fix
