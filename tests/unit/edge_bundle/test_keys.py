"""Keys are made once, kept private, and told apart."""

import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

from headrace.components.shared.errors import ConfigError
from headrace.serving.edge.bundle import (
    generate_keys,
    public_pem,
    read_public_keys,
    signing_key,
)


def test_the_home_gets_one_key_that_stays(home):
    first, again = signing_key(home), signing_key(home)
    assert public_pem(first.public_key()) == public_pem(again.public_key())
    assert (home / "edge-public-key.pem").read_text() == public_pem(first.public_key())
    assert stat.S_IMODE((home / "edge-signing-key.pem").stat().st_mode) == 0o600


def test_the_environment_names_another_key(home, tmp_path, monkeypatch):
    private, public = generate_keys(tmp_path / "secret")
    monkeypatch.setenv("HEADRACE_EDGE_SIGNING_KEY", str(private))
    assert public_pem(signing_key(home).public_key()) == public.read_text()
    assert not home.exists()


def test_a_secret_may_give_the_key_itself(home, tmp_path, monkeypatch):
    private, public = generate_keys(tmp_path / "secret")
    monkeypatch.setenv("HEADRACE_EDGE_SIGNING_KEY", private.read_text())
    assert public_pem(signing_key(None).public_key()) == public.read_text()
    monkeypatch.setenv("HEADRACE_EDGE_SIGNING_KEY", public.read_text())
    with pytest.raises(ConfigError, match=r"\$HEADRACE_EDGE_SIGNING_KEY is no PEM file"):
        signing_key(None)


def test_without_a_home_there_must_be_a_key(home):
    with pytest.raises(ConfigError, match="HEADRACE_EDGE_SIGNING_KEY is not set"):
        signing_key(None)


def test_a_key_is_never_overwritten(home):
    signing_key(home)
    before = (home / "edge-signing-key.pem").read_bytes()
    with pytest.raises(ConfigError, match="devices may trust it"):
        generate_keys(home)
    assert (home / "edge-signing-key.pem").read_bytes() == before


def test_one_file_may_hold_several_public_keys(tmp_path):
    pems = [generate_keys(tmp_path / name)[1].read_text() for name in ("old", "new")]
    (tmp_path / "both.pem").write_text("# the old one\n" + "\n".join(pems))
    assert [public_pem(key) for key in read_public_keys(tmp_path / "both.pem")] == pems


def of_another_kind(path: Path) -> None:
    key = generate_private_key(SECP256R1()).public_key()
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    path.write_bytes(key.public_bytes(serialization.Encoding.PEM, form))


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda path: None, "No such file"),
        (lambda path: path.write_text("hello"), "no key"),
        (lambda path: path.write_text(generate_keys(path.parent)[0].read_text()), "no PEM file"),
        (of_another_kind, "another kind of key"),
    ],
    ids=["missing", "text", "private", "elliptic"],
)
def test_a_file_without_public_keys(tmp_path, make, why):
    make(tmp_path / "key.pem")
    with pytest.raises(ConfigError, match=why):
        read_public_keys(tmp_path / "key.pem")


def test_a_private_key_that_is_none(tmp_path, monkeypatch):
    (tmp_path / "key.pem").write_text("hello")
    monkeypatch.setenv("HEADRACE_EDGE_SIGNING_KEY", str(tmp_path / "key.pem"))
    with pytest.raises(ConfigError, match="no PEM file of an Ed25519 private key"):
        signing_key(None)
