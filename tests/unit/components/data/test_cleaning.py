"""Cleaning rules, one by one, in their order."""

import polars as pl
import pytest

from headrace.components.data.ingest.cleaning import clean
from headrace.components.shared.config.data import Cleaning
from headrace.components.shared.errors import ConfigError, DataError


def cleaned(values, **rules):
    table = pl.DataFrame(values, strict=False)
    return clean(table, Cleaning.parse(rules, where="test"), name="rows")


def columns(values, **rules):
    return cleaned(values, **rules).to_dict(as_series=False)


def refused(kind, values, **rules):
    with pytest.raises(kind) as caught:
        cleaned(values, **rules)
    assert caught.value.fix
    return caught.value


def test_rename_comes_first_so_that_other_rules_use_the_new_name():
    assert columns({"A": ["1"]}, rename={"A": "a"}, types={"a": "int"}) == {"a": [1]}


def test_a_rename_onto_a_column_that_is_there_is_refused():
    error = refused(ConfigError, {"a": [1], "b": [2]}, rename={"a": "b"})
    assert "rows.clean.rename" in error.message
    assert "'b'" in error.message


def test_texts_are_stripped_and_null_values_become_missing():
    assert columns({"a": [" x ", "", "NA", "n/a"]}) == {"a": ["x", None, None, "n/a"]}
    assert columns({"a": ["-", "", "NA"]}, null_values=["-"]) == {"a": [None, "", "NA"]}
    assert columns({"a": [" x "]}, strip=False) == {"a": [" x "]}


def test_numbers_are_left_alone_by_text_rules():
    assert columns({"a": [0, 1]}, null_values=["0"]) == {"a": [0, 1]}


@pytest.mark.parametrize(
    ("kind", "texts", "expected"),
    [
        ("int", ["1", None, "-3"], [1, None, -3]),
        ("float", ["1.5", "2", None], [1.5, 2.0, None]),
        ("bool", ["True", "no", "1", "0", "YES"], [True, False, True, False, True]),
        ("string", [1, 2], ["1", "2"]),
    ],
)
def test_types(kind, texts, expected):
    assert columns({"a": texts}, types={"a": kind}) == {"a": expected}


@pytest.mark.parametrize(
    ("kind", "texts", "bad"),
    [("int", ["1", "1.5"], "1.5"), ("float", ["1", "x"], "x"), ("bool", ["1", "maybe"], "maybe")],
)
def test_a_value_that_does_not_fit_its_type_names_row_and_value(kind, texts, bad):
    error = refused(DataError, {"a": texts}, types={"a": kind})
    assert f"column 'a', row 2: '{bad}' is not of type {kind} (1 of 2 values)" in error.message


def test_where_filters_after_types():
    assert columns({"a": ["5", "10"]}, types={"a": "int"}, where="a > 6") == {"a": [10]}


@pytest.mark.parametrize("where", ["amout > 6", "a >", "nonsense(a)", " "])
def test_a_condition_that_does_not_work_is_shown(where):
    error = refused(ConfigError, {"amount": [1], "a": [1]}, where=where)
    assert "rows.clean.where" in error.message
    assert repr(where) in error.message


def test_a_misspelt_column_in_a_condition_gets_the_nearest_name():
    assert "'amount'" in refused(ConfigError, {"amount": [1]}, where="amout > 6").fix


def test_a_required_value_that_is_missing_is_counted():
    error = refused(DataError, {"a": ["x", "", "NA"]}, required=["a"])
    assert "column 'a': 2 of 3 values are missing" in error.message


def test_required_is_checked_after_where():
    assert columns({"a": [1, None], "b": [1, 0]}, where="b = 1", required=["a"])["a"] == [1]


def test_duplicate_keys_are_refused_with_an_example():
    error = refused(DataError, {"k": [1, 2, 1], "v": [1, 2, 3]}, unique=["k"])
    assert "2 rows share their key k, for example {'k': 1}" in error.message
    assert "on_duplicate" in error.fix


@pytest.mark.parametrize(("keep", "values"), [("first", [1, 2]), ("last", [2, 3])])
def test_duplicates_may_be_dropped_keeping_the_order(keep, values):
    found = columns({"k": [1, 2, 1], "v": [1, 2, 3]}, unique=["k"], on_duplicate=keep)
    assert found["v"] == values


def test_drop_comes_last_so_that_keys_can_be_dropped():
    assert columns({"k": [1, 2], "v": [1, 2]}, unique=["k"], drop=["k"]) == {"v": [1, 2]}


def test_no_rows_left_is_refused():
    assert "'rows' has no rows left" in refused(DataError, {"a": [1]}, where="a > 1").message


@pytest.mark.parametrize("rule", ["types", "timestamps", "required", "unique", "drop", "rename"])
def test_a_rule_on_a_column_that_is_not_there_names_rule_and_nearest_column(rule):
    value = {"types": {"amout": "int"}, "timestamps": {"amout": {}}, "rename": {"amout": "x"}}
    error = refused(ConfigError, {"amount": [1]}, **{rule: value.get(rule, ["amout"])})
    assert f"sources.rows.clean.{rule} names column 'amout'" in error.message
    assert "Did you mean 'amount'?" in error.fix
