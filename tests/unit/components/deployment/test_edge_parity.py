"""Which variants may go to devices: the numbers of a comparison, and what they are held against."""

import numpy as np
import polars as pl
import pytest
import yaml

from headrace.components.deployment.edge_export.parity import (
    Reference,
    compare,
    missed,
    slices_of,
)
from headrace.components.shared.config.edge import Edge
from headrace.components.shared.config.model import Evaluation
from headrace.components.shared.config.project import Project
from headrace.components.shared.errors import ConfigError

EVALUATION = Evaluation(slices=[["place"]], min_slice_rows=3)
TABLE = pl.DataFrame({"place": ["a"] * 4 + ["b"] * 4 + ["c"]})
LABEL = np.array([0, 1, 0, 1, 0, 1, 0, 1, 0], float)
SERVED = np.array([0.1, 0.6, 0.2, 0.9, 0.1, 0.6, 0.2, 0.9, 0.3])
#: One row of the place b: below one half instead of above it, and behind a negative one.
OTHER = np.where(np.arange(9) == 5, 0.15, SERVED)


def reference(task="binary_classification"):
    return Reference(task, LABEL, SERVED, slices_of(TABLE, EVALUATION))


def judged(answers, size=0.5, task="binary_classification", **edge):
    settings = Edge.model_validate(edge)
    found = compare(reference(task), answers, settings.decision)
    return missed("int8", found, size, settings, task)


def test_differences_are_of_all_rows_and_of_each_slice_that_is_large_enough():
    overall, a, b = compare(reference(), OTHER, 0.5)
    assert [(one.key, one.rows) for one in (overall, a, b)] == [
        ((), 9),
        ((("place", "a"),), 4),
        ((("place", "b"),), 4),
    ]
    assert overall.max_difference == b.max_difference == pytest.approx(0.45)
    assert (overall.mean_difference, a.mean_difference) == (pytest.approx(0.05), 0)
    assert (overall.flips, a.flips, b.flips) == (pytest.approx(1 / 9), 0, 0.25)
    # Of 4 x 5 pairs the row is now behind three negative ones.
    assert overall.metric_difference == pytest.approx(-3 / 20)


def test_the_decision_is_where_the_project_says_it_is():
    (overall, *_) = compare(reference(), OTHER, 0.7)
    assert overall.flips == 0


def test_a_regression_is_compared_in_its_unit_and_has_no_decisions():
    overall, *_ = compare(reference("regression"), OTHER, 0.5)
    assert overall.flips is None
    assert overall.max_difference == pytest.approx(0.45)
    assert overall.metric == pytest.approx(np.sqrt(np.mean((OTHER - LABEL) ** 2)))


def test_equal_answers_pass_and_others_do_not_with_every_reason():
    assert judged(SERVED, size=0.4) == []
    assert judged(OTHER) == [
        "its size is 0.500 of float32's, allowed 0.45",
        "largest difference on overall is 0.45, allowed 0.05",
        "share of changed decisions on overall is 0.1111, allowed 0.01",
        "change of auc on overall is 0.15, allowed 0.001",
    ]


def test_own_limits_win_over_those_of_all_and_these_over_the_defaults():
    loose = {"max_difference": 1, "metric_difference": 1, "flips": 1, "size": 1}
    assert judged(OTHER, thresholds={"all": loose}) == []
    strict = {"all": loose, "int8": {"mean_difference": 0.01}}
    assert judged(OTHER, thresholds=strict) == ["mean difference on overall is 0.05, allowed 0.01"]


def test_slices_that_the_project_names_must_meet_the_limits_too():
    loose = {"max_difference": 1, "metric_difference": 1, "flips": 0.2, "size": 1}
    assert judged(OTHER, thresholds={"int8": loose}) == []
    reasons = judged(OTHER, thresholds={"int8": loose}, slices=["place"])
    assert reasons == ["share of changed decisions on place=b is 0.25, allowed 0.2"]


def test_answers_that_are_no_numbers_are_never_near_enough():
    reasons = judged(np.full(9, np.nan), size=0.1)
    assert "largest difference on overall is nan, allowed 0.05" in reasons


def test_the_auc_of_a_slice_with_one_class_says_nothing():
    slices = slices_of(TABLE, Evaluation(slices=[["place"]], min_slice_rows=1))
    same = Reference("binary_classification", LABEL, SERVED, slices)
    edge = Edge(slices=["place"])
    found = compare(same, SERVED, 0.5)
    assert np.isnan(found[-1].metric)
    assert missed("float32", found, 1.0, edge, "binary_classification") == []


PROJECT = """
name: tiny
label: {column: y, task: regression}
sources: {rows: {path: rows.csv}}
evaluation: {slices: [[place]]}
"""


@pytest.mark.parametrize(
    ("edge", "expected"),
    [
        ({}, "a regression needs max_difference for float32"),
        ({"thresholds": {"int8": {"max_difference": 1}}}, "max_difference for float32"),
        ({"thresholds": {"all": {"max_difference": 1, "flips": 0.1}}}, "has no flips"),
        ({"slices": ["time"]}, "edge.slices: 'time' is not in evaluation.slices"),
        ({"variants": ["int8", "int8"]}, "names a variant twice"),
        ({"variants": ["int4"]}, "Input should be 'float32', 'pruned'"),
        ({"variants": []}, "at least 1 item"),
    ],
)
def test_a_section_that_cannot_be_met_is_refused(edge, expected):
    with pytest.raises(ConfigError) as caught:
        Project.parse({**yaml.safe_load(PROJECT), "edge": edge}, where="project.yaml")
    assert expected in caught.value.message


def test_one_limit_for_all_is_enough_for_a_regression():
    edge = {"thresholds": {"all": {"max_difference": 0.5}}}
    project = Project.parse({**yaml.safe_load(PROJECT), "edge": edge}, where="project.yaml")
    assert project.edge.limits("onnx", "regression").max_difference == 0.5
