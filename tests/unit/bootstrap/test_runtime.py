import subprocess

import pytest
from bootstrap import runtime
from bootstrap.host import UnsupportedHostError

LISTING = """\
bookworm-security http://mirror.example/debian-security/
bookworm http://mirror.example/debian/
bookworm http://mirror.example/debian/
bookworm-updates http://other.example/debian/
"""


@pytest.fixture
def answers(monkeypatch):
    def answer(text):
        monkeypatch.setattr(runtime, "_run", lambda command, *, what, cwd=None: text)

    return answer


def test_the_mirror_is_the_one_that_this_host_uses_for_its_own_release(make_host, answers):
    answers(LISTING)
    assert runtime._mirror(make_host()) == "http://mirror.example/debian/"


@pytest.mark.parametrize("listing", ["", "trixie http://mirror.example/debian/\n", "bookworm \n"])
def test_without_a_mirror_the_message_says_what_to_add(make_host, answers, listing):
    answers(listing)
    with pytest.raises(UnsupportedHostError) as caught:
        runtime._mirror(make_host())
    assert str(caught.value) == (
        "apt has no source for bookworm: add your distribution's mirror to "
        "/etc/apt/sources.list.d and run `make setup` again."
    )


def test_a_command_that_fails_is_quoted(monkeypatch):
    failure = subprocess.CompletedProcess(["apt-get"], 100, "", "E: one\nE: no such suite\n")
    monkeypatch.setattr(subprocess, "run", lambda *args, **options: failure)
    with pytest.raises(UnsupportedHostError) as caught:
        runtime._run(["apt-get", "update"], what="read the trixie index of the mirror")
    assert str(caught.value) == (
        "Could not read the trixie index of the mirror: `apt-get` said\nE: one\nE: no such suite"
    )


def test_a_runtime_that_is_there_is_kept(tmp_path, make_host, monkeypatch):
    libraries = tmp_path / "runtime" / runtime.LIBRARY_DIR
    libraries.mkdir(parents=True)
    (libraries / runtime.LOADER).touch()
    monkeypatch.setattr(runtime, "_run", None)  # calling it would fail
    assert runtime.build(tmp_path / "runtime", make_host()) == libraries


def test_libraries_of_an_older_layout_are_gathered(tmp_path):
    old = tmp_path / "lib/x86_64-linux-gnu"
    old.mkdir(parents=True)
    (old / runtime.LOADER).write_text("loader")
    runtime._gather(tmp_path)
    assert (tmp_path / runtime.LIBRARY_DIR / runtime.LOADER).read_text() == "loader"


def test_apt_reads_and_writes_only_its_own_folder(tmp_path):
    options = dict(o.removeprefix("-o").split("=", 1) for o in runtime._apt_folders(tmp_path)[1:])
    places = {name: value for name, value in options.items() if name.startswith("Dir::")}
    assert all(value == "/dev/null" or value.startswith(str(tmp_path)) for value in places.values())
