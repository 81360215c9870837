"""From a trained model to what devices get: the files, their gate, and the push."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest

from headrace.components.deployment.edge_export import conversion, export, rows, source
from headrace.components.deployment.edge_export.layout import CONTENTS, DESCRIPTION
from headrace.components.deployment.pusher import pusher
from headrace.components.shared.errors import ConfigError
from headrace.components.shared.model_store import ModelStore
from headrace.serving.edge.bundle import POINTER, check_bundle, read_public_keys
from headrace.serving.edge.bundle.keys import PUBLIC, VARIABLE

LABEL = {"column": "y"}
LOOSE = {"max_difference": 0.2, "metric_difference": 0.05, "flips": 0.2, "size": 2}


@pytest.fixture(scope="session")
def exported(trained, example_artifact, tmp_path_factory):
    """Exports the usual model with the section ``edge``; gives the result, bundle and page."""

    def run(**edge):
        folder = tmp_path_factory.mktemp("edge")
        result = export.run(
            model=trained[1],
            examples=example_artifact,
            name="tiny",
            label=LABEL,
            evaluation={"slices": [["group"]], "min_slice_rows": 10},
            edge=edge,
            feature_service="tiny_v1",
            bundle=folder / "bundle",
            page=folder / "report.html",
        )
        return result, folder / "bundle", (folder / "report.html").read_text()

    return run


@pytest.fixture(scope="session")
def every(exported):
    return exported(thresholds={"all": LOOSE})


def test_every_variant_answers_raw_rows_as_the_savedmodel_does(every):
    result, bundle, page = every
    assert result.blessed, result.verdict
    description = json.loads((bundle / DESCRIPTION).read_text())
    assert set(description["variants"]) == {"float32", "float16", "dynamic_int8", "int8", "onnx"}
    assert description["feature_service"] == "tiny_v1"
    assert description["raw_inputs"] == {"number": "float32", "text": "string", "whole": "int64"}
    exact = description["variants"]["float32"]["metrics"]
    assert exact["max_difference"] < 1e-5
    assert exact["flips"] == 0
    missing = [row for row in description["self_test"]["rows"] if None in row.values()]
    assert missing, "missing values are among the rows that devices try"
    smallest = min(
        description["variants"].values(),
        key=lambda one: (bundle / CONTENTS / one["file"]).stat().st_size,
    )
    assert description["variants"][description["default"]] == smallest
    assert "group=north" in page
    assert "no kernel for" in page, "the report says why the preprocessing is beside the files"


def test_a_variant_that_differs_too_much_is_left_out_and_the_report_says_why(exported):
    strict = {"all": LOOSE, "float16": {"max_difference": 1e-12}}
    result, bundle, page = exported(variants=["float32", "float16"], thresholds=strict)
    assert result.blessed
    assert "1 of 2 variants" in result.verdict
    assert not (bundle / CONTENTS / "float16.tflite").exists()
    assert list(json.loads((bundle / DESCRIPTION).read_text())["variants"]) == ["float32"]
    assert "Why float16 is not pushed" in page
    assert "allowed 1e-12" in page


def test_fine_tuned_variants_go_through_the_same_gate(exported):
    result, bundle, page = exported(
        variants=["float32", "int8_aware", "pruned"],
        fine_tuning={"batches": 20, "rows": 200},
        thresholds={"all": LOOSE, "pruned": {"max_difference": 0}},
    )
    assert "2 of 3 variants" in result.verdict
    assert set(json.loads((bundle / DESCRIPTION).read_text())["variants"]) == {
        "float32",
        "int8_aware",
    }
    assert not (bundle / CONTENTS / "pruned.tflite").exists()
    assert "Why pruned is not pushed" in page


def test_without_any_variant_the_push_is_blocked(exported):
    result, bundle, page = exported(variants=["float32"], thresholds={"all": {"size": 0.5}})
    assert not result.blessed
    assert result.verdict == (
        "none of 1 variants may go to devices; float32: its size is 1.000 of float32's, allowed 0.5"
    )
    assert list(bundle.iterdir()) == []
    assert result.verdict.partition(";")[0] in page


def test_a_project_that_asks_for_nothing_gets_nothing(exported):
    result, bundle, page = exported()
    assert result.blessed
    assert "no section `edge`" in result.verdict
    assert list(bundle.iterdir()) == []
    assert "no section" in page


def test_the_example_answers_without_headrace(every, tmp_path, push):
    place = push(every[1]) / "edge" / "1"
    command = [sys.executable, "-I", "-c", _ALONE, str(place)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "probability" in done.stdout


_ALONE = """
import runpy, sys
sys.path.insert(0, sys.argv[1])
sys.modules["headrace"] = sys.modules["tensorflow"] = None
runpy.run_path(sys.argv[1] + "/example.py")
"""


def test_int8_holds_beyond_the_rows_it_was_calibrated_with(trained, example_artifact):
    """A number half as large again as any seen must not saturate."""
    import tensorflow as tf

    graph = source.choose(tf.saved_model.load(str(trained[1])))
    rng = np.random.default_rng(0)
    feeds = {
        "numbers": rng.normal(size=(1000, 2)).astype(np.float32),
        "missing": np.zeros((1000, 1), np.float32),
        "text_id": rng.integers(0, 4, (1000, 1)),
    }
    content = conversion.convert(graph, "int8", feeds, "probability")
    far = {name: values[:1].copy() for name, values in feeds.items()}
    far["numbers"][:] = 1.4 * feeds["numbers"].max()
    apart = _answer(content, far) - _answer(graph.float32, far)
    assert np.abs(apart) < 0.02


def _answer(content, feeds):
    from ai_edge_litert.interpreter import Interpreter

    model = Interpreter(model_content=content)
    model.allocate_tensors()
    for one in model.get_input_details():
        name = one["name"].removeprefix("serving_default_").partition(":")[0]
        model.set_tensor(one["index"], feeds[name])
    model.invoke()
    return model.get_tensor(model.get_output_details()[0]["index"]).item()


def test_representative_rows_come_from_all_over_the_training_split(example_artifact):
    every = rows.representative(example_artifact, 100_000)["id"].to_list()
    few = rows.representative(example_artifact, 100)["id"].to_list()
    assert len(set(few)) == 100
    assert (few[0], few[-1]) == (every[0], every[-1])
    gaps = np.diff([every.index(one) for one in few])
    assert gaps.max() - gaps.min() <= 1


@pytest.fixture
def push(trained, schema_artifact, statistics_artifact, tmp_path, monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setenv("HEADRACE_HOME", str(tmp_path / "home"))

    def run(edge, keep=5):
        (tmp_path / "warmup").touch()
        pusher.run(
            model=trained[1],
            schema=schema_artifact,
            statistics=statistics_artifact,
            warmup=tmp_path / "warmup",
            edge=edge,
            name="tiny",
            record={},
            destination=str(tmp_path / "models"),
            serving={"keep_versions": keep},
        )
        return tmp_path / "models" / "tiny"

    return run


def test_a_push_signs_the_bundle_with_the_key_of_the_home(every, push, tmp_path):
    place = push(every[1])
    keys = read_public_keys(tmp_path / "home" / PUBLIC)
    manifest = check_bundle(place / "edge" / "1", keys)
    assert (manifest.model, manifest.version) == ("tiny", 1)
    assert manifest.variants["int8"].metrics["auc"] > 0.5
    assert json.loads((place / "edge" / POINTER).read_text()) == {"version": 1}


def test_without_a_key_nothing_is_pushed(every, push, monkeypatch, tmp_path):
    monkeypatch.delenv("HEADRACE_HOME")
    with pytest.raises(ConfigError, match=VARIABLE):
        push(every[1])
    assert not (tmp_path / "models").exists()


def test_the_same_model_is_pushed_again_only_when_devices_get_something_else(every, push, tmp_path):
    none = tmp_path / "none"
    place = push(none)
    assert not (place / "edge").exists()
    push(every[1])
    (place / "edge" / POINTER).unlink()  # as if that push had been killed
    push(every[1])
    store = ModelStore(str(tmp_path / "models"), "tiny")
    assert store.versions() == [2, 1]
    assert [path.name for path in (place / "edge").iterdir() if path.is_dir()] == ["2"]
    assert json.loads((place / "edge" / POINTER).read_text()) == {"version": 2}


def test_what_a_killed_push_left_is_replaced_and_old_bundles_go(every, push, tmp_path):
    left = tmp_path / "models/tiny/edge/1"
    left.mkdir(parents=True)
    (left / "half").touch()
    place = push(every[1])
    assert not (left / "half").exists()
    other = shutil.copytree(every[1], tmp_path / "other")
    (other / CONTENTS / "example.py").write_text("")
    push(other, keep=1)
    assert sorted(path.name for path in (place / "edge").iterdir()) == ["2", POINTER]
