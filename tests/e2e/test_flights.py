"""The flagship on all real rows: blessed, pushed, cached, reported."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from headrace.serving.edge.bundle import check_bundle, read_public_keys
from headrace.serving.edge.bundle.keys import PUBLIC
from tests.e2e.conftest import headrace

pytestmark = pytest.mark.e2e
NEVER_CACHED = {"resolver", "resolver-2", "run-status"}


def test_one_command_ends_with_a_blessed_and_pushed_model(flights_run):
    assert flights_run.code == 0, flights_run.output
    assert set(flights_run.states().values()) == {"succeeded"}
    version = flights_run.home / "models" / "flights" / "1"
    assert (version / "saved_model.pb").exists()
    manifest = json.loads((version / "assets.extra" / "headrace" / "manifest.json").read_text())
    asked = manifest["feature_store"]
    assert (asked["feature_service"], asked["feature_service_version"]) == ("flight_delay_v1", 1)
    assert re.fullmatch(r"[0-9a-f]{20}", asked["registry_hash"])
    assert asked["join_keys"] == ["carrier", "dest", "flight", "origin", "tailnum"]
    assert set(asked["request_fields"]) == {"departs_at", "arrives_at", "distance"}
    assert flights_run.metrics()["example_count"] == 53_991


def test_devices_get_every_variant_and_int8_is_small_and_right(flights_run):
    pushed = flights_run.home / "models" / "flights" / "edge"
    keys = read_public_keys(flights_run.home / PUBLIC)
    bundle = check_bundle(pushed / "1", keys)
    assert set(bundle.variants) == {"float32", "float16", "dynamic_int8", "int8", "onnx"}
    size = {name: bundle.files[one.file].bytes for name, one in bundle.variants.items()}
    assert size["int8"] <= 0.45 * size["float32"]
    found = bundle.variants["int8"].metrics
    assert abs(found["auc_difference"]) <= 0.001
    assert found["flips"] <= 0.01
    assert found["max_difference"] <= 0.05
    assert bundle.feature_service == "flight_delay_v1"
    report = flights_run.record.tasks["edge-export"].outputs.artifacts["report"]
    assert "5 of 5 variants answer like the SavedModel" in Path(report.uri).read_text()


def test_every_label_came_back_from_the_feature_store_once(flights_run):
    built = flights_run.record.tasks["feature-builder"].outputs.artifacts["metrics"].metadata
    joined = flights_run.record.tasks["historical-features"].outputs.artifacts["metrics"].metadata
    assert built["rows_labels"] == joined["rows"] == 327_346


def test_every_labelled_flight_is_used_and_none_twice(flights_run):
    rows = flights_run.record.tasks["example-gen"].outputs.artifacts["metrics"].metadata
    assert sum(rows.values()) == 327_346


def test_the_model_beats_the_best_known_reference_without_a_leak(flights_run):
    assert 0.76 < flights_run.metrics()["auc"] < 0.85
    assert 0.85 < flights_run.metrics()["calibration"] < 1.15


def test_the_command_prints_metrics_slices_and_where_the_report_is(flights_run):
    for text in ("auc", "calibration", "origin=JFK", "carrier=UA", "report.html"):
        assert text in flights_run.output


def test_no_page_needs_the_network_and_all_are_small(flights_run):
    pages = [flights_run.record.folder / "report.html"]
    for task in flights_run.record.tasks.values():
        pages += [Path(a.uri) for a in task.outputs.artifacts.values() if a.type == "system.HTML"]
    assert len(pages) >= 6
    for page in pages:
        text = page.read_text()
        assert len(text) < 2_000_000, page
        assert not re.search(r"""(src|href)=["']?https?://|@import|<link""", text), page


def test_peak_memory_stays_below_six_gigabytes(flights_run):
    assert 0 < flights_run.record.peak_memory_mb < 6000


def test_the_second_run_is_cached_and_pushes_nothing_new(flights_run):
    again = headrace("run", "examples/flights", home=flights_run.home)
    assert again.code == 0, again.output
    states = again.states()
    assert {name for name, state in states.items() if state != "cached"} == NEVER_CACHED
    assert again.versions("flights") == ["1"]


def test_touching_the_model_trains_again_and_repeats_nothing_before(flights_run, copy_of, project):
    home = copy_of(flights_run)
    model = project / "model.py"
    model.write_text(model.read_text() + "\n# One more line.\n")
    again = headrace("run", project, home=home)
    ran = {name for name, state in again.states().items() if state == "succeeded"}
    before = {
        "ingest",
        "feature-builder",
        "historical-features",
        "example-gen",
        "statistics-gen",
        "transform",
        "tuner",
    }
    assert "trainer" in ran
    assert not ran & before
