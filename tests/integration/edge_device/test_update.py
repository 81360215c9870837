"""Updates that succeed, and versions that must not replace the active one."""

import contextlib
import json
import os
import sys

import numpy as np
import pytest

from headrace.components.shared.errors import ConfigError
from headrace.serving.edge.bundle import (
    BundleError,
    SignatureError,
    generate_keys,
    read_public_keys,
)
from headrace.serving.edge.device.errors import SelfTestError, UpdateError
from headrace.serving.edge.device.model import DeviceModel
from headrace.serving.edge.device.update import update

from .server import until
from .versions import LARGE


def flip(path, position=100):
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)


def test_a_newer_version_takes_over(device, versions, server):
    versions.push(2)
    device.good = {1.0, 2.0}
    outcome = device.update()
    assert (outcome.version, outcome.before) == (2, 1)
    assert LARGE < outcome.transferred < LARGE + 100_000
    device.answers_with(2)
    assert device.folder.previous() == 1
    assert {path.name for path in device.root.iterdir() if path.name[0] != "."} == {
        "current",
        "previous",
        "versions",
    }
    server.asked.clear()
    again = device.update()
    assert (again.version, again.before, again.transferred) == (2, 2, 0)
    assert server.asked == ["/latest.json"]


def test_versions_before_the_previous_one_are_removed(device, versions):
    device.good = {1.0, 2.0, 3.0}
    finders, modules = len(sys.meta_path), set(sys.modules)
    for version in (2, 3):
        versions.push(version)
        device.update()
        device.answers_with(version)
    assert len(sys.meta_path) == finders
    assert not {name for name in set(sys.modules) - modules if name.startswith("headrace_edge")}
    assert {path.name for path in (device.root / "versions").iterdir()} == {"2", "3"}


def test_a_folder_instead_of_a_server(device, versions):
    versions.push(2)
    device.good = {1.0, 2.0}
    assert device.update(url=versions.folder.as_uri()).version == 2
    device.answers_with(2)


def test_an_older_version_is_taken_only_when_it_is_named(device, versions):
    device.good = {1.0, 2.0}
    versions.push(2)
    device.update()
    device.answers_with(2)
    versions.point(1)
    with pytest.raises(UpdateError, match="offers version 1, which is older than the active 2"):
        device.update()
    device.answers_with(2)
    assert device.update(version=1).transferred == 0
    device.answers_with(1)


def test_an_old_version_in_the_place_of_a_new_one(device, versions):
    (versions.folder / "9").symlink_to("1")
    versions.point(9)
    with pytest.raises(BundleError, match="holds times version 1; expected times version 9"):
        device.update()
    device.answers_with(1)


@pytest.mark.parametrize("signer", ["home", "stranger"])
def test_another_model(device, versions, tmp_path, signer):
    """Also when somebody gives the other model's address together with its key."""
    if signer == "stranger":
        generate_keys(tmp_path / signer)
    keys = read_public_keys(tmp_path / signer / "edge-public-key.pem")
    versions.push(2, model="other", home=tmp_path / signer)
    with pytest.raises(BundleError, match="holds other version 2; expected times"):
        update(device.url, device.root, keys)
    device.answers_with(1)


@pytest.mark.parametrize("name", ["float32.tflite", "large", "headrace_edge/errors.py"])
def test_a_flipped_bit_on_the_server(device, versions, name):
    flip(versions.push(2) / name, position=5)
    with pytest.raises(BundleError, match=f"2/{name} is not the file that was signed"):
        device.update()
    device.answers_with(1)
    flip(versions.folder / "2" / name, position=5)
    device.good = {1.0, 2.0}
    assert device.update().version == 2
    device.answers_with(2)


def test_a_file_that_never_ends(device, versions, server):
    with (versions.push(2) / "float32.tflite").open("ab") as stream:
        stream.write(b" " * 10_000_000)
    with pytest.raises(BundleError, match="not the file that was signed"):
        device.update()
    assert server.sent["/2/float32.tflite"] < 9_000_000
    device.answers_with(1)


def test_a_manifest_that_was_changed(device, versions):
    place = versions.push(2) / "manifest.json"
    values = json.loads(place.read_text())
    values["self_test"]["tolerance"] = 1e9
    place.write_text(json.dumps(values, indent=2, sort_keys=True) + "\n")
    with pytest.raises(SignatureError, match="not signed by a trusted key"):
        device.update()
    device.answers_with(1)


def test_a_signature_by_another_key(device, versions, server, tmp_path):
    generate_keys(tmp_path / "stranger")
    versions.push(2, home=tmp_path / "stranger")
    server.asked.clear()
    with pytest.raises(SignatureError, match="not signed by a trusted key"):
        device.update()
    # Nothing but the manifest of such a bundle is even fetched.
    assert server.asked == ["/latest.json", "/2/manifest.json", "/2/manifest.json.sig"]
    device.answers_with(1)


def test_keys_are_exchanged_without_a_pause(device, versions, tmp_path):
    """The program that answers was started before the new key was made."""
    _, new = generate_keys(tmp_path / "new")
    with device.public_key.open("a") as stream:
        stream.write(new.read_text())
    versions.push(2, home=tmp_path / "new")
    device.good = {1.0, 2.0}
    assert device.update().version == 2
    device.answers_with(2)


def test_a_program_with_a_wrong_key_or_variant_leaves_the_device_as_it_is(device, tmp_path):
    _, stranger = generate_keys(tmp_path / "stranger")
    with pytest.raises(UpdateError, match=r"version 1: .* not signed by a trusted key"):
        DeviceModel(device.root, stranger)
    with pytest.raises(UpdateError, match=r"version 1: .* has no variant 'int8'"):
        DeviceModel(device.root, device.public_key, variant="int8")
    with pytest.raises(ConfigError, match="no PEM file"):
        DeviceModel(device.root, tmp_path / "nowhere.pem")
    assert device.folder.rejection(1) is None
    device.answers_with(1)


#: As the real runtime says what is wrong: a class of its own with a message and a fix.
FOR_PEOPLE = "raise type('Error', (Exception,), {'message': 'The model is too new.', 'fix': ''})"


@pytest.mark.parametrize(
    ("starting", "factor", "why"),
    [
        ("", 3.0, "row 1, y: expected 2.0, got 3.0"),
        ("", float("nan"), "got nan"),
        ("raise RuntimeError('no such operation')", None, "no such operation"),
        (FOR_PEOPLE, None, "The model is too new"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", None, "ended by SIGSEGV"),
    ],
    ids=["wrong", "nan", "raises", "for people", "crashes"],
)
def test_a_version_that_fails_its_self_test(device, versions, server, starting, factor, why):
    versions.push(2, starting=starting, factor=factor)
    with pytest.raises(SelfTestError, match=f"times version 2 .* fails its self-test: .*{why}"):
        device.update()
    device.answers_with(1)
    server.asked.clear()
    with pytest.raises(UpdateError, match=f"which this device has rejected: .*{why}"):
        device.update()
    assert server.asked == ["/latest.json"], "it is not fetched again and again"
    versions.push(3)
    device.good = {1.0, 3.0}
    device.update()
    device.answers_with(3)
    assert device.folder.previous() == 1


def test_a_version_that_fails_after_the_swap(device, versions):
    here = (
        "from pathlib import Path\n"
        "current = Path(__file__).parents[3] / 'current'\n"
        "assert current.resolve().name != '2', 'cannot answer'"
    )
    versions.push(2, starting=here)
    with pytest.raises(SelfTestError, match="cannot answer"):
        device.update()
    device.answers_with(1)
    assert "cannot answer" in device.folder.rejection(2)


def test_a_version_that_starts_everywhere_but_in_the_program(device, versions):
    """The self-test passes, twice; the program that answers cannot load it, and rolls back."""
    here = f"import os; assert os.getpid() != {os.getpid()}, 'not in this program'"
    versions.push(2, starting=here)
    with contextlib.suppress(SelfTestError):  # the update may have ended before
        device.update()
    until(lambda: device.folder.rejection(2))
    device.answers_with(1)
    assert "not in this program" in device.folder.rejection(2)
    with pytest.raises(UpdateError, match="rejected"):
        device.update()


def test_a_damaged_version_makes_way_when_the_program_starts(device, versions):
    device.good = {1.0, 2.0}
    versions.push(2)
    device.update()
    device.answers_with(2)
    flip(device.folder.path(2) / "large")
    with DeviceModel(device.root, device.public_key) as fresh:
        assert fresh.version == 1
        assert fresh.predict({"x": 3.0}) == {"y": 3.0}
    device.answers_with(1)
    assert "not the file that was signed" in device.folder.rejection(2)


def test_a_damaged_active_version_is_fetched_again(device):
    flip(device.folder.path(1) / "large")
    outcome = device.update()
    assert (outcome.version, outcome.before) == (1, 1)
    assert outcome.transferred > LARGE
    device.answers_with(1)


def test_what_a_version_needs_is_asked_before_it_is_fetched(device, versions, server):
    major = int(np.__version__.split(".")[0])
    versions.push(2, numpy=f">={major}.10000")
    with pytest.raises(UpdateError, match=rf"needs numpy>={major}\.10000; this device has {major}"):
        device.update()
    assert "/2/large" not in server.asked
    with pytest.raises(ConfigError, match="no variant 'int8'"):
        device.update(variant="int8")
    device.answers_with(1)


def test_a_first_version_that_fails_leaves_nothing_active(root, versions, server):
    versions.push(2, factor=7.0)
    with pytest.raises(SelfTestError, match=r"expected 2\.0, got 7\.0"):
        update(server.url, root, read_public_keys(versions.home / "edge-public-key.pem"))
    assert not (root / "current").is_symlink()
    with pytest.raises(UpdateError, match=r"No version in .* can start"):
        DeviceModel(root, versions.home / "edge-public-key.pem")


def test_two_updates_at_a_time(device, versions, server):
    versions.push(2)
    device.good = {1.0, 2.0}
    with device.folder.updating(), pytest.raises(UpdateError, match="is under way"):
        device.update()
    assert device.update().version == 2


def test_compiled_files_that_nobody_signed_are_not_run(device):
    cache = device.folder.path(1) / "headrace_edge" / "__pycache__"
    assert not cache.exists()
    cache.mkdir()
    (cache / f"errors.{sys.implementation.cache_tag}.pyc").write_bytes(b"not even Python")
    with DeviceModel(device.root, device.public_key) as fresh:
        assert fresh.predict({"x": 2.0}) == {"y": 2.0}
