"""The command, as a person on a device uses it."""

import json

import pytest
from typer.testing import CliRunner

from headrace.cli.main import app
from headrace.components.shared.errors import ConfigError
from headrace.serving.edge.bundle import BundleError


def run(*words):
    """What a command prints; errors for people come through, as `main` shows them."""
    return CliRunner().invoke(app, ["edge", *map(str, words)], catch_exceptions=False).output


@pytest.fixture
def key(versions):
    return versions.home / "edge-public-key.pem"


def test_keys(tmp_path):
    said = run("keygen", tmp_path / "keys")
    assert "edge-signing-key.pem  keep it secret" in said
    assert "edge-public-key.pem  put it on every device" in said
    with pytest.raises(ConfigError, match="devices may trust it"):
        run("keygen", tmp_path / "keys")


def test_verify(versions, key):
    bundle = versions.folder / "1"
    said = run("verify", bundle, "--public-key", key)
    assert "times version 1: signed, and all" in said
    assert "float32" in said
    (bundle / "large").write_bytes(b"")
    with pytest.raises(BundleError, match="not the file that was signed"):
        run("verify", bundle, "--public-key", key)


def test_update_and_predict(versions, root, key, server, monkeypatch):
    monkeypatch.setenv("HEADRACE_EDGE_PUBLIC_KEY", str(key))
    words = ("update", "--from", server.url, "--to", root)
    assert "Version 1 is active; 4" in run(*words)
    assert run(*words) == "Version 1 is active already.\n"
    versions.push(2)
    assert "Version 2 is active, after version 1; 4" in run(*words)
    said = run("predict", root / "current", '[{"x": 1.5}, {"x": 2}]', "--json")
    assert json.loads(said) == {
        "model": "times",
        "version": 2,
        "variant": "float32",
        "predictions": [{"y": 3.0}, {"y": 4.0}],
    }
    said = run("predict", root / "current", '{"x": 1.5}')
    assert said == "times, version 2\nrow  y\n  0  3\n"
    with pytest.raises(ConfigError, match="no variant 'int8'"):
        run("predict", root / "current", '{"x": 1.5}', "--variant", "int8")
