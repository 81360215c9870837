"""``gateway.yaml``: what it says about a mistake, and where its paths lead."""

from __future__ import annotations

import pytest

from headrace.components.shared.errors import ConfigError
from headrace.serving.gateway.config import Auth, Limits, load
from headrace.serving.gateway.guard import Guard


def write(folder, text):
    path = folder / "gateway.yaml"
    path.write_text(text)
    return path


def test_paths_are_relative_to_the_file(tmp_path):
    path = write(tmp_path, "models: {m: {repo: repo, versions: pushed}}\nauth: {tokens: t.txt}")
    config = load(path)
    assert config.models["m"].repo == tmp_path / "repo"
    assert config.models["m"].versions == str(tmp_path / "pushed")
    assert config.auth.tokens == tmp_path / "t.txt"
    assert config.predictions.folder == tmp_path / ".headrace" / "predictions"
    assert config.audit == tmp_path / ".headrace" / "audit.jsonl"


def test_a_bucket_stays_a_bucket_and_logs_can_be_switched_off(tmp_path):
    text = "models: {m: {versions: 's3://bucket/models'}}\npredictions: {folder: null}\naudit: null"
    config = load(write(tmp_path, text))
    assert config.models["m"].versions == "s3://bucket/models"
    assert config.predictions.folder is None
    assert config.audit is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("models: {}", "models: Dictionary should have at least 1 item"),
        ("models: {m: {sever: localhost:8500}}", "Did you mean 'server' instead of 'sever'?"),
        ("models: {m: {policy: {stale: drop}}}", "models.m.policy.stale: Input should be 'reject'"),
        ("models: {m: {features: {a: {stale: default}}}}", "needs a value: add the key `default`"),
        ("models: {m: {policy: {stale: default}}}", "can be set under `features` only"),
        ("models: {m: {}}\nlimits: {rows: 0}", "`docs/how-to/gateway.md` lists every key"),
        ("models: [", "is no YAML"),
        ("", "has no keys"),
    ],
)
def test_mistakes_are_named_with_their_key(tmp_path, text, said):
    with pytest.raises(ConfigError) as caught:
        load(write(tmp_path, text))
    assert said in str(caught.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"gateway\.yaml cannot be read: No such file"):
        load(tmp_path / "gateway.yaml")


def test_a_token_instead_of_its_hash_is_refused(tmp_path):
    (tmp_path / "tokens.txt").write_text("me secret\n")
    with pytest.raises(ConfigError, match=r"tokens.txt, line 1 is not `name sha256-of-token`"):
        Guard(Auth(tokens=tmp_path / "tokens.txt"), Limits())


def test_tokens_from_a_variable_that_is_not_set_are_an_error(monkeypatch):
    monkeypatch.delenv("TOKENS", raising=False)
    with pytest.raises(ConfigError, match="variable TOKENS, from which tokens come, is not set"):
        Guard(Auth(tokens_from="TOKENS"), Limits())
