"""Nothing is tied to flights: a leak is caught in taxi data, housing is a regression."""

from __future__ import annotations

import pytest

from headrace.serving.edge.bundle import check_bundle, read_public_keys
from headrace.serving.edge.bundle.keys import PUBLIC
from tests.e2e.conftest import headrace

pytestmark = pytest.mark.e2e


def test_taxi_without_the_way_of_paying_ends_blessed(taxi_run):
    assert taxi_run.code == 0, taxi_run.output
    assert taxi_run.versions("taxi") == ["1"]


def test_taxi_with_the_way_of_paying_is_stopped_by_the_leakage_check(taxi_run, copy_of):
    home = copy_of(taxi_run)
    shown = "features.exclude=[trip_start_timestamp]"
    leaky = headrace("run", "examples/taxi", "--set", shown, home=home)
    assert leaky.code == 1
    assert "payment_type" in leaky.output
    assert "Credit Card" in leaky.output
    states = leaky.states()
    assert states["data-gate"] == "failed"
    assert states["trainer"] == states["pusher"] == "skipped"
    assert leaky.versions("taxi") == ["1"]


def test_housing_a_regression_ends_blessed(housing_run):
    assert housing_run.code == 0, housing_run.output
    assert housing_run.versions("housing") == ["1"]
    assert housing_run.metrics()["root_mean_squared_error"] < 8


def test_both_go_to_devices_with_their_preprocessing(taxi_run, housing_run):
    for run, name in ((taxi_run, "taxi"), (housing_run, "housing")):
        pushed = run.home / "models" / name / "edge" / "1"
        bundle = check_bundle(pushed, read_public_keys(run.home / PUBLIC))
        assert {"float32", "float16", "dynamic_int8", "onnx"} <= set(bundle.variants), name
        # Only texts and missing values need operations that TensorFlow Lite does not have.
        assert (pushed / "preprocessing.json").exists() == (name == "taxi")
    differences = bundle.variants["float32"].metrics
    assert "root_mean_squared_error_difference" in differences
    assert "flips" not in differences
