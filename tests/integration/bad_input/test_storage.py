"""Places that cannot be written."""

import shutil
import subprocess

import pytest

from headrace.components.shared import files


@pytest.fixture
def destination(mounted, served):
    """A file system of its own for pushed models, with the good one in it."""
    place = mounted("destination", "8m")
    shutil.copytree(served / "models" / "tiny", place / "tiny")
    return place


def push_anew(refused, destination, *phrases):
    """Another model, because of another seed, on its way to ``destination``."""
    before = files.digest(destination / "tiny")
    sets = (f"serving.destination={destination}", "training.seed=18")
    # It would be tried again, after a while.
    sets += ("platform.steps.pusher.retries.count=0",)
    refused(*phrases, options=[word for value in sets for word in ("--set", value)])
    assert files.digest(destination / "tiny") == before
    assert [path.name for path in (destination / "tiny").iterdir()] == ["1"]


def test_a_disk_of_pushed_models_that_is_full(refused, destination):
    filler = (destination / "filler").open("wb", buffering=0)
    with filler as stream, pytest.raises(OSError, match="No space"):
        while True:
            stream.write(b"0" * 65536)
    push_anew(refused, destination, "cannot be written: the disk is full", "Free space")


def test_pushed_models_on_a_read_only_file_system(refused, destination):
    subprocess.run(["mount", "-o", "remount,ro", str(destination)], check=True)
    push_anew(refused, destination, "cannot be written: the file system is read-only", "writable")


@pytest.mark.parametrize(
    ("size", "reason"), [("40k", "the disk is full"), ("200k", "No space left on device")]
)
def test_a_home_that_fills_up(refused, mounted, size, reason):
    refused("cannot be written", reason, "Free space", home=mounted("home", size))


def test_a_home_on_a_read_only_file_system(refused, mounted):
    home = mounted("home", "1m")
    subprocess.run(["mount", "-o", "remount,ro", str(home)], check=True)
    refused("Runs cannot be kept in", "Read-only file system", "make it writable", home=home)


def test_a_file_in_the_place_of_the_home(refused, tmp_path):
    (tmp_path / "home").write_text("in the way")
    refused("Runs cannot be kept in", "choose another home", home=tmp_path / "home")
