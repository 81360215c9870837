"""A bundle is what was signed, or it is refused."""

import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from pydantic import ValidationError

from headrace.components.shared.errors import StorageError
from headrace.serving.edge.bundle import (
    BundleError,
    Description,
    SignatureError,
    check_bundle,
    check_manifest,
    signing_key,
    write_bundle,
)


def test_what_was_written_is_what_is_read(bundle, trusted, description):
    manifest = check_bundle(bundle, trusted)
    assert (manifest.model, manifest.version) == ("rides", 7)
    assert set(manifest.files) == {"float32.tflite", "headrace_edge/__init__.py"}
    assert manifest.files["float32.tflite"].bytes == 5000
    assert manifest.self_test == description.self_test
    text = (bundle / "manifest.json").read_text()
    assert text == json.dumps(json.loads(text), indent=2, sort_keys=True) + "\n"
    assert len((bundle / "manifest.json.sig").read_bytes()) == 64
    assert [path.name for path in bundle.parent.iterdir()] == ["7"]


def test_a_version_is_never_overwritten(bundle, contents, description, home):
    with pytest.raises(StorageError, match="exists"):
        write_bundle(contents, bundle, description, version=7, key=signing_key(home))


def test_nothing_is_left_of_a_bundle_that_cannot_be_signed(tmp_path, contents, description, home):
    (contents / "float32.tflite").unlink()
    with pytest.raises(BundleError, match="not among the files"):
        write_bundle(
            contents, tmp_path / "out" / "8", description, version=8, key=signing_key(home)
        )
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("name", ["float32.tflite", "headrace_edge/__init__.py"])
def test_a_flipped_bit_in_any_file(bundle, trusted, name):
    content = bytearray((bundle / name).read_bytes())
    content[3] ^= 1
    (bundle / name).write_bytes(content)
    with pytest.raises(BundleError, match=rf"{name} is not the file that was signed"):
        check_bundle(bundle, trusted)


def test_a_flipped_bit_in_the_manifest(bundle, trusted):
    text = (bundle / "manifest.json").read_text()
    (bundle / "manifest.json").write_text(text.replace('"version": 7', '"version": 8'))
    with pytest.raises(SignatureError, match="changed afterwards"):
        check_bundle(bundle, trusted)


def test_a_key_that_nobody_trusts(bundle):
    with pytest.raises(SignatureError, match="not signed by a trusted key"):
        check_bundle(bundle, [Ed25519PrivateKey.generate().public_key()])
    with pytest.raises(SignatureError):
        check_bundle(bundle, [])


def test_while_keys_are_exchanged_either_is_trusted(bundle, trusted):
    check_bundle(bundle, [Ed25519PrivateKey.generate().public_key(), *trusted])


@pytest.mark.parametrize("content", [b"", b"short", b"0" * 64])
def test_a_signature_that_is_none(bundle, trusted, content):
    (bundle / "manifest.json.sig").write_bytes(content)
    with pytest.raises(SignatureError):
        check_bundle(bundle, trusted)


def test_a_folder_that_is_no_bundle(tmp_path, trusted):
    with pytest.raises(SignatureError, match=r"manifest\.json cannot be read"):
        check_bundle(tmp_path, trusted)


def test_files_too_few_and_too_many(bundle, trusted):
    (bundle / "headrace_edge" / "planted.so").write_bytes(b"")
    with pytest.raises(BundleError, match=r"has besides headrace_edge/planted\.so"):
        check_bundle(bundle, trusted)
    (bundle / "headrace_edge" / "planted.so").unlink()
    (bundle / "float32.tflite").unlink()
    with pytest.raises(BundleError, match=r"lacks float32\.tflite"):
        check_bundle(bundle, trusted)


def test_a_link_that_leads_out(bundle, trusted, tmp_path):
    secret = tmp_path / "secret"
    secret.write_bytes((bundle / "float32.tflite").read_bytes())
    (bundle / "float32.tflite").unlink()
    (bundle / "float32.tflite").symlink_to(secret)
    with pytest.raises(BundleError, match="is a link"):
        check_bundle(bundle, trusted)


def test_running_the_example_in_a_bundle_does_not_break_it(bundle, trusted):
    cache = bundle / "headrace_edge" / "__pycache__"
    cache.mkdir()
    (cache / "__init__.cpython-311.pyc").write_bytes(b"")
    check_bundle(bundle, trusted)


@pytest.mark.parametrize(
    "name",
    ["../evil", "/etc/passwd", "a/../../b", "a//b", "./a", "a\\b", "", ".", "manifest.json"],
)
def test_a_signed_manifest_still_cannot_name_a_place_outside(bundle, home, name):
    values = json.loads((bundle / "manifest.json").read_text())
    values["files"][name] = {"sha256": "0" * 64, "bytes": 1}
    content = json.dumps(values).encode()
    key = signing_key(home)
    with pytest.raises(BundleError, match="files"):
        check_manifest(content, key.sign(content), [key.public_key()], where="the test")


@pytest.mark.parametrize(
    "wrong",
    [
        {"default": "int8"},
        {"outputs": ["probability", "other"]},
        {"raw_inputs": {"x": "float32"}},
        {"runtime": {"numpy": "latest"}},
        {"surprise": 1},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_a_description_that_does_not_fit_together(description, wrong):
    with pytest.raises(ValidationError):
        Description.model_validate({**description.model_dump(), **wrong})
