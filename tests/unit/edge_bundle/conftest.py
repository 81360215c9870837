"""A small bundle and the pair of keys that signed it."""

import pytest

from headrace.serving.edge.bundle import (
    Description,
    read_public_keys,
    signing_key,
    write_bundle,
)

TENSOR = {"name": "x", "shape": [1, 1], "dtype": "float32"}
DESCRIPTION = {
    "model": "rides",
    "feature_service": None,
    "runtime": {"ai_edge_litert": ">=2.2", "numpy": ">=2"},
    "raw_inputs": {"x": "float32", "carrier": "string"},
    "outputs": ["probability"],
    "variants": {
        "float32": {
            "file": "float32.tflite",
            "inputs": [TENSOR],
            "outputs": [TENSOR],
            "metrics": {"auc": 0.7},
        }
    },
    "self_test": {
        "rows": [{"x": 1.5, "carrier": None}],
        "predictions": [[0.25]],
        "tolerance": 0.01,
    },
    "default": "float32",
}


@pytest.fixture
def description():
    return Description.model_validate(DESCRIPTION)


@pytest.fixture
def contents(tmp_path):
    folder = tmp_path / "contents"
    (folder / "headrace_edge").mkdir(parents=True)
    (folder / "float32.tflite").write_bytes(b"model" * 1000)
    (folder / "headrace_edge" / "__init__.py").write_text("ANSWER = 42\n")
    return folder


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.delenv("HEADRACE_EDGE_SIGNING_KEY", raising=False)
    return tmp_path / "home"


@pytest.fixture
def bundle(tmp_path, contents, description, home):
    target = tmp_path / "edge" / "7"
    write_bundle(contents, target, description, version=7, key=signing_key(home))
    return target


@pytest.fixture
def trusted(bundle, home):
    return read_public_keys(home / "edge-public-key.pem")
